"""One call's audio over RTP.

The call runner opens it, tells the PBX the local address, connects it to the address that the PBX names, and hands
it to the conversation. The media run in the engine; here is what becomes of its events, once per block of 60 ms or
when something happens.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from audio_fork.call_audio import MAX_EVENTS
from audio_fork.caller_voice import MAX_BLOCKS
from audio_fork.codecs import rtp_rate_hz
from audio_fork.errors import BadAudio, NotConnectable
from audio_fork.playout import MAX_QUEUED_S
from audio_fork.recording import StereoRecorder
from audio_fork.rtp_engine import RtpEngine
from audio_fork.sockets import Address
from audio_fork.stats import AudioStats
from audio_fork.streams import DroppingStream
from media_core.engine import Session
from media_core.engine_events import EventKind
from media_core.errors import PlayoutFull
from media_core.events import (
    AlarmReached,
    AudioBlock,
    AudioEvent,
    MarkReached,
    PeerGone,
    PlayoutStarted,
    SpeechStarted,
    SpeechStopped,
)

logger = logging.getLogger(__name__)

RECORDING_ENDS_WITHIN_S = 0.2
"""The engine ends a recording with its next slot; one that stands still is not waited for."""


@dataclass(frozen=True, slots=True)
class RtpSettings:
    """How a connection behaves."""

    idle_frames: bool = True
    """Send silence while nothing is played, for trunks that drop a call without RTP."""
    peer_timeout_ms: int | None = None
    """Report PeerGone after so long without a packet. None (never) is right for Asterisk, which sends nothing
    while the caller's phone is silent or on hold, and reports the end of the leg by an event."""
    own_port: bool = False
    """A UDP port for this call alone, where one for all of them does not do: behind a NAT that gives several of the
    PBX's legs one address, say."""


DEFAULT_SETTINGS = RtpSettings()


@dataclass(frozen=True, slots=True)
class _Final:
    """How the connection stood at its end."""

    position: int
    peer_silent_ms: int
    played_samples: int
    stats: AudioStats


class RtpAudio:
    """A call's audio connection on a media engine.

    Nothing is received or sent before `connect()`. All methods belong to the event loop's thread.
    """

    def __init__(self, engine: RtpEngine, codec: str, settings: RtpSettings = DEFAULT_SETTINGS) -> None:
        """Take a place on the engine and wait for `connect()`.

        codec: `ulaw`, `alaw`, `slin` or `g722`. Raises UnknownCodec, TooManyCalls, NoFreePort.
        """
        self._rate_hz = rtp_rate_hz(codec)
        self._engine = engine
        self.session: Session = engine.admit(
            codec,
            idle_frames=settings.idle_frames,
            peer_timeout_ms=settings.peer_timeout_ms or 0,
            own_port=settings.own_port,
        )
        """Its place on the engine."""
        self.local_address: Address = self.session.local_address
        """Where the PBX shall send: host and port."""
        self._peer: Address | None = None
        self._blocks: DroppingStream[AudioBlock] = DroppingStream(MAX_BLOCKS)
        self._events: DroppingStream[AudioEvent] = DroppingStream(MAX_EVENTS)
        self._waiting: deque[bytes] = deque()
        """Pieces for which the engine has no place yet."""
        self._waiting_samples = 0
        self._alarm: int | None = None
        self._recorder: StereoRecorder | None = None
        self._recorded = asyncio.Event()
        """The recording is whole."""
        self._final: _Final | None = None
        engine.enter(self)

    def connect(self, peer_host: str, peer_port: int) -> None:
        """Start the media with this peer: the only address whose packets count.

        The session clock starts at 0 with the first beat, at most 40 ms later.
        Raises NotConnectable if there is a peer already, after the end, or if the host is not a numeric address.
        """
        if self._peer is not None or self._final is not None:
            raise NotConnectable("the connection has its peer already or was closed; open another one")
        self._engine.connect(self, (peer_host, peer_port))
        self._peer = peer_host, peer_port

    # --- what the conversation uses -------------------------------------------------------------------------

    @property
    def rate_hz(self) -> int:
        """Rate of all PCM in and out: 16000 for g722, else 8000."""
        return self._rate_hz

    @property
    def position(self) -> int:
        """Now, on the session clock; moves on by one frame with every beat."""
        return self.session.position if self._final is None else self._final.position

    @property
    def peer_silent_ms(self) -> int:
        """How long no packet has come from the peer: normal while the caller's phone sends nothing in silence."""
        return self.session.peer_silent_ms if self._final is None else self._final.peer_silent_ms

    @property
    def played_samples(self) -> int:
        """How many samples given to `play()` have gone to the PBX (idle silence not counted)."""
        return self.session.played_samples if self._final is None else self._final.played_samples

    def blocks(self) -> AsyncIterator[AudioBlock]:
        """Yield the caller's audio in blocks of 60 ms until the peer is gone; 180 ms behind drops the oldest."""
        return self._blocks

    def events(self) -> AsyncIterator[AudioEvent]:
        """Yield events in order until PeerGone or `aclose()`."""
        return self._events

    def play(self, pcm: bytes) -> int:
        """Queue PCM and return its mark. After the end nothing is played and the mark is never reached.

        Raises BadAudio for half a sample and for more than the queue holds (300 s).
        """
        if len(pcm) % 2:
            raise BadAudio("16-bit PCM has an even number of octets")
        if self._final is not None:
            return self._final.played_samples + len(pcm) // 2
        if self.session.queued_samples + self._waiting_samples + len(pcm) // 2 > MAX_QUEUED_S * self._rate_hz:
            raise BadAudio(f"more than {MAX_QUEUED_S} s of audio queued; play it piece by piece as marks are reached")
        self._waiting.append(pcm)
        self._waiting_samples += len(pcm) // 2
        self._hand_over()
        return self.session.end_mark + self._waiting_samples

    def clear(self) -> None:
        """Drop what is queued; at most 5 ms more of it go out, fading, and count as played."""
        self._waiting.clear()
        self._waiting_samples = 0
        if self._final is None:
            self.session.clear()

    def set_alarm(self, position: int) -> None:
        """Ask for AlarmReached at this position; replaces the alarm before; a past one comes at once."""
        if self._final is not None:
            return
        reached = self.session.position >= position
        self._alarm = None if reached else position
        self.session.set_alarm(self._alarm)
        if reached:
            self._events.put(AlarmReached(position))

    def record_to(self, recorder: StereoRecorder | None) -> None:
        """Give everything said and played from the next beat on to a recorder; None stops.

        Whoever made the recorder closes it.
        """
        if self._final is None:
            self._drain_recording()
            self._recorder = recorder
            self._recorded.clear()
            self.session.record(recorder is not None)

    def stats(self) -> AudioStats:
        """Return the counts since the start."""
        return self._counted() if self._final is None else self._final.stats

    async def aclose(self) -> None:
        """End the media and give the place back. May be called twice."""
        if self._final is None and self._recorder is not None:
            await self._end_recording()
        self._end()

    # --- what the engine tells ------------------------------------------------------------------------------

    def take(self, kind: EventKind, position: int, value: int) -> None:
        """Take an event of the engine's (see `EngineCall`)."""
        match kind:
            case EventKind.BLOCK_READY:
                self._read_blocks()
                self._hand_over()
            case EventKind.MARK_REACHED:
                self._events.put(MarkReached(value, position))
                self._hand_over()
            case EventKind.PLAYOUT_STARTED:
                self._events.put(PlayoutStarted(position))
            case EventKind.SPEECH_STARTED:
                self._events.put(SpeechStarted(position))
            case EventKind.SPEECH_STOPPED:
                self._events.put(SpeechStopped(position))
            case EventKind.ALARM_REACHED if position == self._alarm:
                self._alarm = None
                self._events.put(AlarmReached(position))
            case EventKind.TAP_READY | EventKind.TAP_ENDED:
                self._drain_recording()
                if kind == EventKind.TAP_ENDED:
                    self._recorded.set()
            case EventKind.PEER_SILENT:
                self.fail(f"no packet for {value} ms")
            case _:
                pass

    def fail(self, reason: str) -> None:
        """Report PeerGone and end: nothing comes or goes any more."""
        self._events.put(PeerGone(reason))
        self._end()

    # --- inside ---------------------------------------------------------------------------------------------

    def _read_blocks(self) -> None:
        while (found := self.session.read()) is not None:
            self._blocks.put(AudioBlock(*found))

    def _hand_over(self) -> None:
        """Give the engine what it has places for."""
        while self._waiting:
            try:
                self.session.play(self._waiting[0])
            except PlayoutFull:
                return
            self._waiting_samples -= len(self._waiting.popleft()) // 2

    def _drain_recording(self) -> None:
        while (found := self.session.recorded()) is not None:
            if self._recorder is not None:
                position, caller, agent = found
                self._recorder.hear_agent(position, agent)
                self._recorder.hear_caller(position, caller)

    async def _end_recording(self) -> None:
        """Let the recording have everything up to now."""
        self._recorded.clear()
        self.session.record(False)
        self._engine.poll()
        try:
            async with asyncio.timeout(RECORDING_ENDS_WITHIN_S):
                await self._recorded.wait()
        except TimeoutError:
            logger.warning("the end of a recording is missing: the media engine stands still")

    def _counted(self) -> AudioStats:
        counts = self.session.stats()
        return AudioStats(
            received=counts.received,
            sent=counts.sent,
            unsent=counts.unsent,
            lost=counts.lost,
            late=counts.late,
            concealed=counts.concealed,
            discarded=counts.discarded,
            strangers=counts.strangers,
            garbage=counts.garbage,
            unexpected=counts.unexpected,
            late_beats=counts.late_beats,
            skipped_frames=counts.skipped_frames,
            underruns=counts.underruns,
            dropped_blocks=counts.dropped_blocks + self._blocks.dropped,
            dropped_events=self._events.dropped,
            unrecorded=counts.tap_dropped,
        )

    def _end(self) -> None:
        if self._final is not None:
            return
        self._drain_recording()
        session = self.session
        self._final = _Final(session.position, session.peer_silent_ms, session.played_samples, self._counted())
        self._engine.dismiss(self, self._peer)
        self._waiting.clear()
        self._blocks.close()
        self._events.close()
