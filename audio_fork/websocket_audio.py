"""One call's audio over Asterisk's WebSocket channel: we connect, Asterisk paces.

The caller's audio goes to the media engine message by message; what it finds there comes back as from any other call.
The agent's audio is sent ahead, up to a second, with marks every 100 ms: they, and the clock between them, tell how
far the caller has heard it. `clear()` flushes what is ahead. Each of the engine's blocks is the occasion to send more.
"""

from __future__ import annotations

import logging
import ssl
from collections import deque
from dataclasses import replace

from audio_fork.codecs import websocket_codec
from audio_fork.engine_audio import EngineAudio
from audio_fork.errors import BadPeer, NotConnectable
from audio_fork.far_queue import FRAME_S, FarQueue
from audio_fork.media_engine import MediaEngine, Timer
from audio_fork.playout import PlayoutFrame, PlayoutQueue
from audio_fork.recording import StereoRecorder
from audio_fork.stats import AudioStats
from audio_fork.websocket_connection import AiohttpMediaSocket, MediaSocket
from audio_fork.websocket_protocol import (
    FLUSH,
    GET_STATUS,
    START_BUFFERING,
    FaultReported,
    KeyReported,
    MarkProcessed,
    MediaEvent,
    MediaStarted,
    Paused,
    Resumed,
    StatusReported,
    mark_command,
    parse_event,
    stop_buffering_command,
)
from media_core.engine_events import EventKind
from media_core.errors import EngineStopped
from media_core.events import MarkReached, PlayoutStarted

logger = logging.getLogger(__name__)

AHEAD_FRAMES = 50
"""A second: Asterisk's queue holds 1000 frames and asks for a pause at 900."""
MARK_EVERY_FRAMES = 5
LAST_FRAMES = 2
"""With no more than these ahead, what is less than a frame goes out as well, filled up with silence."""
IDLE_FRAMES = 10
"""Silence is sent so many frames at a time, and anew when half of them are left."""
TOLD_WITHIN_S = 0.005
"""A message may come so much later than the network's time."""
ROUND_TRIPS = 8
"""The shortest of the last so many round trips is the network's."""
RECORDING_DELAY_FRAMES = 5
"""Silence is recorded so much later: what is played is known a little after it is heard."""


class WebSocketAudio(EngineAudio):
    """A call's audio connection to a media leg that waits for us.

    Nothing is received or sent before `connect()`.
    """

    def __init__(self, engine: MediaEngine, codec: str = "slin", *, idle_frames: bool = True) -> None:
        """Take a place on the engine and wait for `connect()`.

        codec: `slin`, `slin16`, `ulaw` or `alaw`. idle_frames: send silence while nothing is played, for trunks that
        drop a call without RTP. Raises UnknownCodec, TooManyCalls.
        """
        self._codec = websocket_codec(codec)
        super().__init__(engine, engine.admit_connection(codec))
        self._playout = PlayoutQueue(self._codec.rate_hz, self._codec.frame_samples)
        self._socket: MediaSocket | None = None
        self._idle_frames = idle_frames
        self._far = FarQueue()
        self._idling = False
        """The run that the PBX plays is silence."""
        self._buffering = False
        self._paused = False
        self._noted_frames = 0
        """Frames of this run of which the playout knows that they were handed out."""
        self._idle_until = 0
        """Position up to which the playout knows of frames in which nothing was handed out."""
        self._filling: Timer | None = None
        self._asked_at_s: float | None = None
        self._round_trips_s: deque[float] = deque(maxlen=ROUND_TRIPS)
        self._sent = self._garbage = self._unexpected = 0

    async def connect(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        """Connect to the media leg that waits at `url`, and start the media.

        tls: for `wss://`, None for the system's authorities. Raises NotConnectable when it is connected or closed
        already, or the engine does not obey; NoPeer when nobody takes the connection; BadPeer when the other side
        speaks another protocol or codec.
        """
        self._check_unconnected()
        socket = await AiohttpMediaSocket.open(url, tls)
        try:
            self.begin(socket, socket.started)
        except BaseException:
            await socket.aclose()
            raise
        socket.start(self)

    def begin(self, socket: MediaSocket, started: MediaStarted) -> None:
        """Start the media over an open connection.

        Raises NotConnectable, also when the engine does not obey, and BadPeer.
        """
        self._check_unconnected()
        if (started.codec, started.frame_octets) != (self._codec.name, self._codec.frame_octets):
            raise BadPeer(
                f"Asterisk's media leg has {started.codec} in frames of {started.frame_octets} octets; "
                f"{self._codec.name} was asked for"
            )
        try:
            self.session.begin()
        except EngineStopped as err:
            raise NotConnectable(f"the media engine cannot take the call: {err}") from err
        self._socket = socket
        self._feed(fill=True)

    # --- what the conversation uses -------------------------------------------------------------------------

    @property
    def played_samples(self) -> int:
        """How many samples given to `play()` the PBX has handed out, as far as marks and clock tell."""
        self._note_handed(self._engine.now_s())
        return self._playout.played_samples

    def play(self, pcm: bytes) -> int:
        """Queue PCM and return its mark (see `EngineAudio`)."""
        self._note_handed(self._engine.now_s())
        mark = self._playout.play(pcm)
        self._feed(fill=False)
        return mark

    def clear(self) -> None:
        """Drop what is queued, here and in the PBX; at most 5 ms more of it go out, fading, and count as played."""
        # By the time the PBX gets the command it has handed out a little more.
        self._note_handed(self._engine.now_s(), ahead_s=self._latency_s)
        self._playout.clear()
        self._stop_filling()
        if self._socket is not None and not self._idling and not self._far.is_dry:
            self._socket.drop_unsent()
            self._asked_at_s = None
            self._flush()
        self._feed(fill=True)

    def record_to(self, recorder: StereoRecorder | None) -> None:
        """Give everything said and played from now on to a recorder; None stops. Whoever made it closes it."""
        super().record_to(recorder)
        if self._recorder is not None:
            self._recorder.hear_agent(self.position, b"")

    async def aclose(self) -> None:
        """End the media and close the connection. May be called twice."""
        await super().aclose()
        if self._socket is not None:
            await self._socket.aclose()

    # --- what the connection and the engine tell ------------------------------------------------------------

    def take_audio(self, payload: bytes) -> None:
        """Take a piece of the caller's audio."""
        if self._final is None:
            self.session.feed(payload, self._engine.now_s())

    def take_text(self, text: str) -> None:
        """Take a control message; what cannot be read is counted."""
        try:
            event = parse_event(text)
        except BadPeer:
            self._garbage += 1
        else:
            self._take_event(event)

    def take(self, kind: EventKind, position: int, value: int, code: int) -> None:
        """Take an event of the engine's (see `EngineCall`)."""
        super().take(kind, position, value, code)
        if kind == EventKind.BLOCK_READY:
            self._note_handed(self._engine.now_s())
            self._note_idle()
            self._feed(fill=True)

    # --- inside ---------------------------------------------------------------------------------------------

    def _check_unconnected(self) -> None:
        if self._socket is not None or self._final is not None:
            raise NotConnectable("the connection has its peer already or was closed; open another one")

    @property
    def _latency_s(self) -> float:
        """How long a message takes, one way."""
        return min(self._round_trips_s, default=0.0) / 2

    def _take_event(self, event: MediaEvent) -> None:
        now_s = self._engine.now_s()
        match event:
            case MarkProcessed(mark_id):
                if self._far.processed(mark_id, now_s - self._latency_s):
                    self._note_handed(now_s)
                    self._feed(fill=False)
            case StatusReported():
                if self._asked_at_s is not None:
                    self._round_trips_s.append(now_s - self._asked_at_s)
                    self._asked_at_s = None
            case Paused():
                self._paused = True
            case Resumed():
                self._paused = False
            case KeyReported():
                # The PBX reports the leg's keys by its own events as well, and no key may count twice.
                self._unexpected += 1
            case FaultReported(text):
                self._garbage += 1
                logger.warning("Asterisk could not carry out a media command", extra={"reason": text})
            case _:
                pass

    def _note_handed(self, now_s: float, ahead_s: float = 0.0) -> None:
        """Let the playout know what the PBX has handed out by now, and will have so much later."""
        handed = self._far.handed(now_s + ahead_s, now_s - self._latency_s - TOLD_WITHIN_S)
        started_s = self._far.started_s
        if started_s is None or self._idling or self._final is not None:
            return
        run_position = self.session.position_at(started_s)
        while self._noted_frames < handed:
            position = run_position + self._noted_frames * self._codec.frame_samples
            self._noted_frames += 1
            frame = self._playout.hand_out()
            if self._recorder is not None:
                self._recorder.hear_agent(position, frame.pcm)
            self._report(frame, position)
            self._idle_until = position + self._codec.frame_samples

    def _note_idle(self) -> None:
        """Let the playout know of the frames in which nothing was there to be handed out."""
        while self._idle_until < self.position and not self._playout.cut_frames:
            self._report(self._playout.hand_out(), self._idle_until)
            self._idle_until += self._codec.frame_samples
        self._idle_until = max(self._idle_until, self.position)

    def _report(self, frame: PlayoutFrame, position: int) -> None:
        """Report what begins in a frame and the marks that it reaches."""
        if frame.started_at is not None:
            self._events.put(PlayoutStarted(position + frame.started_at))
        for mark, offset in frame.marks:
            self._events.put(MarkReached(mark, position + offset))

    def _record(self, position: int, caller: bytes, agent: bytes) -> None:
        """Give the recorder what the caller has said; the agent's part comes when the PBX has handed it out."""
        if self._recorder is not None:
            self._note_handed(self._engine.now_s())
            self._recorder.hear_caller(position, caller)
            silent_until = self.position - RECORDING_DELAY_FRAMES * self._codec.frame_samples
            self._recorder.hear_agent(max(0, silent_until), b"")

    def _counted(self) -> AudioStats:
        counts = super()._counted()
        return replace(
            counts,
            sent=self._sent,
            garbage=counts.garbage + self._garbage,
            unexpected=counts.unexpected + self._unexpected,
            underruns=self._playout.underruns,
        )

    def _end(self) -> None:
        if self._far.started_s is not None:
            self._note_handed(self._engine.now_s())
        self._stop_filling()
        super()._end()

    # --- sending ahead --------------------------------------------------------------------------------------

    def _feed(self, *, fill: bool) -> None:
        """Send what there is room for.

        fill: what is less than a frame goes too when the PBX would have nothing left otherwise.
        """
        if self._socket is None or self._final is not None or self._paused:
            return
        if self._playout.has_uncut:
            self._feed_speech(fill)
        elif not self._idling and self._buffering and self._far.waiting() <= LAST_FRAMES:
            self._command(stop_buffering_command(self._far.mark()))
            self._buffering = False
        elif self._idle_frames and fill:
            self._feed_silence()
        if self._playout.has_uncut and self._filling is None:
            waiting = 0 if self._idling else self._far.waiting()
            delay_s = max(1, waiting - LAST_FRAMES) * FRAME_S
            self._filling = self._engine.call_later(delay_s, self._fill)

    def _fill(self) -> None:
        """Send what is less than a frame as well: nothing else is left ahead by now, or little."""
        self._filling = None
        self._note_handed(self._engine.now_s())
        self._feed(fill=True)

    def _stop_filling(self) -> None:
        if self._filling is not None:
            self._filling.cancel()
            self._filling = None

    def _feed_speech(self, fill: bool) -> None:
        waiting = 0 if self._idling else self._far.waiting()
        if AHEAD_FRAMES - waiting < MARK_EVERY_FRAMES:
            return
        frames: list[bytes] = []
        while waiting + len(frames) < AHEAD_FRAMES:
            pcm = self._playout.cut(fill=fill and waiting + len(frames) <= LAST_FRAMES)
            if pcm is None:
                break
            frames.append(pcm)
        if frames:
            self._begin_speech()
        for at in range(0, len(frames), MARK_EVERY_FRAMES):
            self._send_frames(frames[at : at + MARK_EVERY_FRAMES])

    def _begin_speech(self) -> None:
        """Make sure that the run under way is one of speech."""
        if self._idling:
            self._flush()
        if self._far.is_dry:
            self._begin_run()
        if not self._buffering:
            self._command(START_BUFFERING)
            self._buffering = True

    def _feed_silence(self) -> None:
        if not self._idling and self._far.is_dry:
            self._idling = True
            self._begin_run()
        if self._idling and self._far.waiting() <= IDLE_FRAMES // 2:
            self._send_frames([bytes(self._codec.frame_samples * 2)] * IDLE_FRAMES)

    def _send_frames(self, frames: list[bytes]) -> None:
        """Send frames of PCM in one message, with a mark behind them."""
        if self._socket is None:
            return
        self._socket.send(self._codec.encode(b"".join(frames)))
        self._far.send(len(frames))
        self._sent += len(frames)
        if len(self._round_trips_s) < ROUND_TRIPS:
            # A call begins at a busy moment: one or two round trips say little of the network.
            self._time_network()
        self._command(mark_command(self._far.mark()))

    def _begin_run(self) -> None:
        """Begin a run with a mark, which tells when its first frame is handed out; and time the network."""
        self._far.begin_run()
        self._noted_frames = 0
        self._time_network()
        self._command(mark_command(self._far.mark()))

    def _time_network(self) -> None:
        """Ask for something that is answered at once, unless an answer is still to come."""
        if self._asked_at_s is None:
            self._asked_at_s = self._engine.now_s()
            self._command(GET_STATUS)

    def _flush(self) -> None:
        """Empty the PBX's queue, which loses the marks in it and ends buffering."""
        self._command(FLUSH)
        self._far.begin_run()
        self._noted_frames = 0
        self._idling = self._buffering = False

    def _command(self, text: str) -> None:
        if self._socket is not None:
            self._socket.send(text)
