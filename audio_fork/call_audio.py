"""What the conversation's CallAudio port asks for, as far as it is the same for every connection.

`AudioSocketAudio` and `WebSocketAudio` add how the caller's audio comes and how the agent's goes. `RtpAudio` leaves all
of this to the media engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass

from audio_fork.caller_stream import FrameReceiver
from audio_fork.caller_voice import CallerVoice
from audio_fork.clock import LATE_S, PlayoutClock
from audio_fork.codecs import Codec
from audio_fork.playout import PlayoutFrame, PlayoutQueue
from audio_fork.recording import StereoRecorder
from audio_fork.stats import AudioStats
from audio_fork.streams import DroppingStream
from media_core.events import AlarmReached, AudioBlock, AudioEvent, MarkReached, PeerGone, PlayoutStarted

MAX_EVENTS = 256
LISTENING_DELAY_FRAMES = 1
"""A packet waits for the next beat, and the jitter buffer may hold it for another. Counting one frame for that puts
the caller's positions 0 to 20 ms early rather than late, so that no measured reaction time is flattered."""


class CallAudioBase(ABC):
    """A call's audio connection: session clock, caller's voice, playout, events, alarm, recording, counts.

    Nothing is received or sent before `_begin()`. All methods belong to the event loop's thread.
    """

    def __init__(self, codec: Codec, receiver: FrameReceiver, clock: PlayoutClock) -> None:
        """Wait for the peer."""
        self._codec = codec
        self._clock = clock
        self._caller = receiver
        self._voice = CallerVoice(codec.rate_hz)
        self._playout = PlayoutQueue(codec.rate_hz, codec.frame_samples)
        self._events: DroppingStream[AudioEvent] = DroppingStream(MAX_EVENTS)
        self._recorder: StereoRecorder | None = None
        self._beats = 0
        self._beat_at_s = 0.0
        self._alarm: int | None = None
        self._begun = False
        self._ended = False
        self._counts = Counts()

    # --- what the conversation uses -------------------------------------------------------------------------

    @property
    def rate_hz(self) -> int:
        """Rate of all PCM in and out: 8000 or 16000, as the codec has it."""
        return self._codec.rate_hz

    @property
    def position(self) -> int:
        """Now, on the session clock; moves on by one frame with every beat."""
        return max(0, self._beats - 1) * self._codec.frame_samples

    @property
    def peer_silent_ms(self) -> int:
        """How long nothing has come from the PBX; 0 over a connection, which ends when the link is cut."""
        return 0

    @property
    def played_samples(self) -> int:
        """How many samples given to `play()` have gone out (idle silence not counted)."""
        return self._playout.played_samples

    def blocks(self) -> AsyncIterator[AudioBlock]:
        """Yield the caller's audio in blocks of 60 ms until the peer is gone; 180 ms behind drops the oldest."""
        return self._voice.blocks

    def events(self) -> AsyncIterator[AudioEvent]:
        """Yield events in order until PeerGone or `aclose()`."""
        return self._events

    def play(self, pcm: bytes) -> int:
        """Queue PCM and return its mark. After the end nothing is played and the mark is never reached.

        Raises BadAudio for half a sample and for more than the queue holds (300 s).
        """
        return self._playout.play(pcm)

    def clear(self) -> None:
        """Drop what is queued; at most 5 ms more of it go out, fading, and count as played."""
        self._playout.clear()

    def set_alarm(self, position: int) -> None:
        """Ask for AlarmReached at this position; replaces the alarm before; a past one comes at once."""
        self._alarm = position
        self._ring_alarm()

    def record_to(self, recorder: StereoRecorder | None) -> None:
        """Give everything said and played from the next beat on to a recorder; None stops.

        Whoever made the recorder closes it.
        """
        self._recorder = recorder

    def stats(self) -> AudioStats:
        """Return the counts since the start."""
        counts, caller = self._counts, self._caller
        return AudioStats(
            received=caller.received,
            sent=counts.sent,
            unsent=counts.unsent,
            lost=caller.lost,
            late=caller.late,
            concealed=caller.concealed,
            discarded=caller.discarded,
            garbage=caller.garbage,
            unexpected=caller.unexpected,
            late_beats=counts.late_beats,
            skipped_frames=counts.skipped_frames,
            underruns=self._playout.underruns,
            dropped_blocks=self._voice.blocks.dropped,
            dropped_events=self._events.dropped,
        )

    @abstractmethod
    async def aclose(self) -> None:
        """End the media and release the connection. May be called twice."""

    # --- what the clock does --------------------------------------------------------------------------------

    def beat(self, *, behind_s: float, sending: bool) -> None:
        """Let one frame time pass (see `Beating`)."""
        self._beats += 1
        self._beat_at_s = self._clock.now_s() - behind_s
        self._counts.late_beats += behind_s > LATE_S
        self._listen(self._caller.next_frame())
        if not sending:
            self._counts.skipped_frames += 1
        self._speak(sending)
        self._ring_alarm()

    def fail(self, reason: str) -> None:
        """Report PeerGone and end: nothing comes or goes any more."""
        self._events.put(PeerGone(reason))
        self._end()

    # --- for the transports ---------------------------------------------------------------------------------

    @abstractmethod
    def _speak(self, sending: bool) -> None:
        """Let 20 ms of the agent's audio go out; sending: False for a beat that was missed."""

    def _begin(self) -> None:
        """Start the media: the session clock starts at 0 with the first beat, at most 20 ms later."""
        self._begun = True
        self._clock.add(self)

    def _end(self) -> None:
        self._ended = True
        self._clock.remove(self)
        self._voice.blocks.close()
        self._events.close()

    def _position_at(self, now_s: float) -> int:
        """Return the position at a time near the latest beat; before the first beat that is 0."""
        return self.position + round((now_s - self._beat_at_s) * self._codec.rate_hz) if self._beats else 0

    def _went_out(self, frame: PlayoutFrame, position: int) -> None:
        """Note that a frame went to the PBX; position: of its first sample."""
        if self._recorder is not None:
            self._recorder.hear_agent(position, frame.pcm)
        self._report(frame, position)

    def _report(self, frame: PlayoutFrame, position: int) -> None:
        """Report what begins in a frame and the marks that it reaches."""
        if frame.started_at is not None:
            self._events.put(PlayoutStarted(position + frame.started_at))
        for mark, offset in frame.marks:
            self._events.put(MarkReached(mark, position + offset))

    def _fell_silent(self) -> None:
        """Note that a frame time passed without anything going out."""
        if self._recorder is not None:
            self._recorder.hear_agent(self.position, bytes(self._codec.frame_samples * 2))

    # --- one beat -------------------------------------------------------------------------------------------

    def _listen(self, pcm: bytes) -> None:
        frames_ago = 1 + LISTENING_DELAY_FRAMES
        if self._beats <= frames_ago:  # from before the session clock's 0
            return
        if self._recorder is not None:
            self._recorder.hear_caller(self.position - frames_ago * self._codec.frame_samples, pcm)
        for event in self._voice.hear(pcm):
            self._events.put(event)

    def _ring_alarm(self) -> None:
        if self._alarm is not None and self.position >= self._alarm:
            self._events.put(AlarmReached(self._alarm))
            self._alarm = None


@dataclass(slots=True)
class Counts:
    """What the connection itself counts for `stats()`."""

    sent: int = 0
    unsent: int = 0
    late_beats: int = 0
    skipped_frames: int = 0
