"""Asterisk's WebSocket channel in virtual time: its queue, its 20 ms timer, its commands, as chan_websocket.c has them.

The real one is tried in tests/contract/.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from audio_fork.codecs import Codec, websocket_codec
from audio_fork.websocket_connection import MediaReceiver
from audio_fork.websocket_protocol import MAX_COMMAND_OCTETS, MediaStarted
from media_core.g711 import alaw_decode, ulaw_decode
from tests.audio_fork.virtual_time import ManualTime

TICK_S = 0.020
QUEUE_MAX, XOFF_LEVEL, XON_LEVEL = 1000, 900, 800


class FakeMediaLeg:
    """The other end of a `WebSocketAudio`; it is the MediaSocket, too."""

    def __init__(self, codec: str, time: ManualTime, *, phase_ms: float = 7.0, latency_ms: float = 0.0) -> None:
        """Start ticking `phase_ms` from now; messages take `latency_ms` each way."""
        self.codec: Codec = websocket_codec(codec)
        self.started = MediaStarted(codec, self.codec.frame_octets)
        self.time = time
        self.latency_s = latency_ms / 1000
        self.receiver: MediaReceiver | None = None
        self.handed_out: list[tuple[float, bytes]] = []
        """When each frame went to the caller, as PCM."""
        self.ignored: list[str] = []
        """What Asterisk would have dropped with a warning, or in silence."""
        self.commands: list[str] = []
        self.closed = False
        self.halted = False
        """Asterisk's channel thread does not run: ticks go by."""
        self._decode = {"ulaw": ulaw_decode, "alaw": alaw_decode}.get(codec, bytes)
        self._encode = self.codec.encode
        self._queue: deque[bytes | str] = deque()
        self._unsent: list[str | bytes] = []
        self._xoff = False
        self._buffering = False
        time.call_later(phase_ms / 1000, self._tick)

    @property
    def queued_frames(self) -> int:
        return sum(isinstance(item, bytes) for item in self._queue)

    # --- the socket that WebSocketAudio holds

    def send(self, message: str | bytes) -> None:
        self._unsent.append(message)
        self.time.call_later(self.latency_s, lambda: self._arrive(message))

    def drop_unsent(self) -> None:
        """Nothing waits here: the network takes everything at once."""

    async def aclose(self) -> None:
        self.closed = True

    # --- the caller's side

    def hear_caller(self, pcm: bytes) -> None:
        """Let the caller's audio come."""
        payload = self._encode(pcm)
        self.time.call_later(self.latency_s, lambda: self._tell_audio(payload))

    def tell(self, event: str, **more: Any) -> None:
        """Send an event."""
        text = json.dumps({"event": event, "channel_id": "em-1", **more}, separators=(",", ":"))
        self.time.call_later(self.latency_s, lambda: self._tell_text(text))

    # --- inside

    def _tell_audio(self, payload: bytes) -> None:
        if self.receiver is not None and not self.closed:
            self.receiver.take_audio(payload)

    def _tell_text(self, text: str) -> None:
        if self.receiver is not None and not self.closed:
            self.receiver.take_text(text)

    def _arrive(self, message: str | bytes) -> None:
        if self.closed:
            return
        if isinstance(message, bytes):
            self._take_audio(message)
        elif len(message) > MAX_COMMAND_OCTETS:
            self.ignored.append(message)
        else:
            self._command(json.loads(message))

    def _take_audio(self, payload: bytes) -> None:
        if self.queued_frames >= QUEUE_MAX:
            self.ignored.append(f"{len(payload)} octets beyond the queue")
            return
        size = self.codec.frame_octets
        whole = len(payload) // size * size
        self._queue.extend(payload[at : at + size] for at in range(0, whole, size))
        if len(payload) > whole:
            self.ignored.append(f"{len(payload) - whole} octets that are no frame")
        if not self._xoff and self.queued_frames >= XOFF_LEVEL:
            self._xoff = True
            self.tell("MEDIA_XOFF")

    def _command(self, command: dict[str, str]) -> None:
        name = command["command"]
        self.commands.append(name)
        match name:
            case "START_MEDIA_BUFFERING":
                self._buffering = True
            case "STOP_MEDIA_BUFFERING":
                self._buffering = False
                self._queue.append(json.dumps(["MEDIA_BUFFERING_COMPLETED", command["correlation_id"]]))
            case "MARK_MEDIA":
                self._queue.append(json.dumps(["MEDIA_MARK_PROCESSED", command["correlation_id"]]))
            case "FLUSH_MEDIA":
                self._queue.clear()
                self._buffering = False
            case "GET_STATUS":
                self.tell("STATUS", queue_length=self.queued_frames, bulk_media=self._buffering)
            case _:
                self.ignored.append(name)

    def _tick(self) -> None:
        self.time.call_later(TICK_S, self._tick)
        if self.halted:
            return
        if self._xoff and self.queued_frames < XON_LEVEL:
            self._xoff = False
            self.tell("MEDIA_XON")
        while self._queue and isinstance(self._queue[0], str):
            event, mark_id = json.loads(self._queue.popleft())
            self.tell(event, correlation_id=mark_id)
        if self._queue:
            self.handed_out.append((self.time.now, self._decode(bytes(self._queue.popleft()))))  # type: ignore[arg-type]
