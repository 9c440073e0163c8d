"""A call's audio on a media engine, as far as every transport has it: the caller's voice, events, alarm, recording.

The media run in the engine; here is what becomes of its events, once per block of 60 ms or when something happens.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass

from audio_fork.media_engine import MediaEngine
from audio_fork.recording import StereoRecorder
from audio_fork.stats import AudioStats
from audio_fork.streams import DroppingStream
from media_core.engine import Session
from media_core.engine_events import EventKind
from media_core.events import AlarmReached, AudioBlock, AudioEvent, PeerGone, SpeechStarted, SpeechStopped

logger = logging.getLogger(__name__)

MAX_EVENTS = 256
MAX_BLOCKS = 3
"""Blocks kept for a reader that lags: 180 ms, then the oldest goes."""
RECORDING_ENDS_WITHIN_S = 0.2
"""The engine ends a recording with its next slot; one that stands still is not waited for."""


@dataclass(frozen=True, slots=True)
class _Final:
    """How the connection stood at its end."""

    position: int
    stats: AudioStats


class EngineAudio(ABC):
    """A call's audio connection on a media engine. All methods belong to the event loop's thread."""

    def __init__(self, engine: MediaEngine, session: Session) -> None:
        """Take over a session just opened on this engine; nothing comes or goes before it has its peer."""
        self.session = session
        """Its place on the engine."""
        self._engine = engine
        self._rate_hz = session.rate_hz
        self._blocks: DroppingStream[AudioBlock] = DroppingStream(MAX_BLOCKS)
        self._events: DroppingStream[AudioEvent] = DroppingStream(MAX_EVENTS)
        self._alarm: int | None = None
        self._recorder: StereoRecorder | None = None
        self._recorded = asyncio.Event()
        """The recording is whole."""
        self._ending = False
        """The connection ends when the recording is whole."""
        self._final: _Final | None = None
        engine.enter(self)

    # --- what the conversation uses -------------------------------------------------------------------------

    @property
    def rate_hz(self) -> int:
        """Rate of all PCM in and out: 8000 or 16000, as the codec has it."""
        return self._rate_hz

    @property
    def position(self) -> int:
        """Now, on the session clock; moves on by one frame with every beat."""
        return self.session.position if self._final is None else self._final.position

    @property
    def peer_silent_ms(self) -> int:
        """How long nothing has come from the PBX; 0 over a connection, which ends when the link is cut."""
        return 0

    @property
    @abstractmethod
    def played_samples(self) -> int:
        """How many samples given to `play()` have gone out (idle silence not counted)."""

    def blocks(self) -> AsyncIterator[AudioBlock]:
        """Yield the caller's audio in blocks of 60 ms until the peer is gone; 180 ms behind drops the oldest."""
        return self._blocks

    def events(self) -> AsyncIterator[AudioEvent]:
        """Yield events in order until PeerGone or `aclose()`."""
        return self._events

    @abstractmethod
    def play(self, pcm: bytes) -> int:
        """Queue PCM and return its mark. After the end nothing is played and the mark is never reached.

        Raises BadAudio for half a sample and for more than the queue holds (300 s).
        """

    @abstractmethod
    def clear(self) -> None:
        """Drop what is queued; at most 5 ms more of it go out, fading, and count as played."""

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

    def take(self, kind: EventKind, position: int, value: int, code: int) -> None:
        """Take an event of the engine's (see `EngineCall`)."""
        match kind:
            case EventKind.BLOCK_READY:
                self._read_blocks()
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
                    if self._ending:
                        self._end()
            case _:
                pass

    def fail(self, reason: str) -> None:
        """Report PeerGone and end: nothing comes or goes any more."""
        self._tell_gone(reason)
        self._end()

    # --- for the transports ---------------------------------------------------------------------------------

    def _lose_peer(self, reason: str) -> None:
        """Report PeerGone, and end as soon as a recording has everything up to now."""
        self._tell_gone(reason)
        if self._recorder is None:
            self._end()
        else:
            self._end_tap()

    def _record(self, position: int, caller: bytes, agent: bytes) -> None:
        """Give the recorder what both have said from a position on."""
        if self._recorder is not None:
            self._recorder.hear_agent(position, agent)
            self._recorder.hear_caller(position, caller)

    def _counted(self) -> AudioStats:
        """Return what has been counted so far."""
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
        """Give the place back, once."""
        if self._final is not None:
            return
        self._drain_recording()
        self._final = _Final(self.session.position, self._counted())
        self._recorded.set()
        self._engine.dismiss(self)
        self._blocks.close()
        self._events.close()

    # --- inside ---------------------------------------------------------------------------------------------

    def _read_blocks(self) -> None:
        while (found := self.session.read()) is not None:
            self._blocks.put(AudioBlock(*found))

    def _drain_recording(self) -> None:
        while (found := self.session.recorded()) is not None:
            self._record(*found)

    def _tell_gone(self, reason: str) -> None:
        self._events.put(PeerGone(reason))
        self._events.close()
        self._blocks.close()

    def _end_tap(self) -> None:
        if not self._ending:
            self._ending = True
            self._recorded.clear()
            self.session.record(False)

    async def _end_recording(self) -> None:
        """Let the recording have everything up to now."""
        self._end_tap()
        self._engine.poll()
        try:
            async with asyncio.timeout(RECORDING_ENDS_WITHIN_S):
                await self._recorded.wait()
        except TimeoutError:
            logger.warning("the end of a recording is missing: the media engine stands still")
