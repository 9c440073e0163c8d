"""The neural voice detector: one thread that listens to the bursts of all calls, many in one run of the model.

Only bursts are listened to: the energy detector of media_core opens them, and a voice that was found closes them. The
event loop never waits for the thread, nor the thread for the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from parley.conversation.errors import EngineError
from parley.conversation.ports import VoiceJudged
from parley.engines.burst_verdict import BurstVerdict
from parley.engines.silero_model import CHUNK_SAMPLES, StreamMemory

logger = logging.getLogger(__name__)

MAX_BATCH = 64
"""Streams in one run; from some 32 on a larger one is not cheaper for each of them."""
MAX_BURSTS = 1024
"""At once; one more is not listened to."""
MAX_BACKLOG_MS = 1000
"""Audio of one burst that waits; with more than that the verdict comes too late for anything."""
THREAD_ENDS_S = 2.0


class SpeechModel(Protocol):
    """What judges chunks: SileroModel, and stand-ins in tests."""

    def judge(self, rate_hz: int, chunks: Sequence[bytes], memories: Sequence[StreamMemory]) -> list[float]:
        """See SileroModel.judge()."""
        ...


@dataclass(frozen=True, slots=True)
class VoiceCounts:
    """What a detector has done since it was made."""

    bursts: int = 0
    """Begun."""
    runs: int = 0
    """Of the model."""
    chunks: int = 0
    """Of 32 ms, in all runs: several of them in a run are what a batch saves."""
    voices: int = 0
    """Verdicts that somebody speaks."""
    doubts: int = 0
    """Verdicts that nobody speaks so far."""
    lost: int = 0
    """Bursts not judged to their end: too many at once, or the model too slow, or broken."""


class _Burst:
    """A VoiceBurst; what begins with an underscore belongs to the detector and its lock."""

    def __init__(
        self, detector: SileroVoiceDetector, rate_hz: int, verdict: BurstVerdict, tell: Callable[[VoiceJudged], None]
    ) -> None:
        self._detector = detector
        self._rate_hz = rate_hz
        self._verdict = verdict
        self._tell = tell
        self._memory = StreamMemory.empty(rate_hz)
        self._pcm = bytearray()
        self._position = 0
        """Of the first sample in `_pcm`."""
        self._heard_at = 0.0
        self._open = True

    def hear(self, position: int, pcm: bytes) -> None:
        """Take the next audio."""
        self._detector._hear(self, position, pcm)

    def close(self) -> None:
        """Stop listening."""
        self._detector._close(self)


class SileroVoiceDetector:
    """VoiceDetector. Made and used on the event loop's thread; `close()` ends its own."""

    def __init__(
        self, model: SpeechModel, *, threshold: float = 0.5, observe: Callable[[float], None] | None = None
    ) -> None:
        """Start the thread.

        threshold: probability from which on 32 ms are likely speech.   observe: told with each verdict how many
        seconds ago its burst's newest audio was taken.
        """
        self._model = model
        self._threshold = threshold
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._bursts: set[_Burst] = set()
        self._ready: dict[_Burst, None] = {}
        """Those with a chunk to be judged, in the order in which their turn comes."""
        self._closing = False
        self._counts = VoiceCounts()
        self._thread = threading.Thread(target=self._work, name="voice-detector", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> VoiceCounts:
        """What was done so far."""
        with self._changed:
            return self._counts

    def attend(self, rate_hz: int, burst: int, tell: Callable[[VoiceJudged], None]) -> _Burst:
        """Listen to a burst; one for which there is no room gets no verdict."""
        attended = _Burst(self, rate_hz, BurstVerdict(burst, rate_hz, self._threshold), tell)
        with self._changed:
            self._count(bursts=1)
            if self._closing or len(self._bursts) >= MAX_BURSTS:
                self._give_up(attended)
            else:
                self._bursts.add(attended)
        return attended

    def close(self) -> None:
        """End the thread; nothing is told any more. May be called twice."""
        with self._changed:
            self._closing = True
            for burst in tuple(self._bursts):
                self._forget(burst)
            self._changed.notify()
        self._thread.join(THREAD_ENDS_S)

    # --- on the event loop's thread -----------------------------------------------------------------------

    def _hear(self, burst: _Burst, position: int, pcm: bytes) -> None:
        with self._changed:
            if not burst._open:
                return
            if position != burst._position + len(burst._pcm) // 2:
                burst._pcm.clear()
            if not burst._pcm:
                burst._position = position
            burst._pcm += pcm
            burst._heard_at = time.monotonic()
            waiting = len(burst._pcm) // 2
            if waiting > MAX_BACKLOG_MS * burst._rate_hz // 1000:
                self._give_up(burst)
            elif waiting >= CHUNK_SAMPLES[burst._rate_hz]:
                self._ready[burst] = None
                self._changed.notify()

    def _close(self, burst: _Burst) -> None:
        with self._changed:
            self._forget(burst)

    def _deliver(self, verdicts: Sequence[tuple[_Burst, VoiceJudged]]) -> None:
        for burst, judged in verdicts:
            if not burst._open:
                continue
            if self._observe is not None:
                self._observe(time.monotonic() - burst._heard_at)
            if judged.is_voice:
                self._close(burst)
            burst._tell(judged)

    # --- on the detector's own ----------------------------------------------------------------------------

    def _work(self) -> None:
        """Judge what is ready, until told to end or until the model fails."""
        try:
            while batch := self._next_batch():
                self._judge(batch)
        except EngineError:
            logger.exception("neural voice detection has failed; the energy of a sound decides alone from now on")
            with self._changed:
                self._closing = True
                for burst in tuple(self._bursts):
                    self._give_up(burst)

    def _next_batch(self) -> list[tuple[_Burst, int, bytes]]:
        """Wait for bursts with a chunk to be judged and take one of each of one rate, with its end; none: the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._closing)
            if self._closing:
                return []
            rate_hz = next(iter(self._ready))._rate_hz
            chosen = [burst for burst in self._ready if burst._rate_hz == rate_hz][:MAX_BATCH]
            return [(burst, *self._next_chunk(burst)) for burst in chosen]

    def _next_chunk(self, burst: _Burst) -> tuple[int, bytes]:
        """Take a chunk off a burst's audio; what has another one ready goes behind the others."""
        samples = CHUNK_SAMPLES[burst._rate_hz]
        chunk = bytes(burst._pcm[: 2 * samples])
        del burst._pcm[: 2 * samples]
        burst._position += samples
        del self._ready[burst]
        if len(burst._pcm) >= 2 * samples:
            self._ready[burst] = None
        return burst._position, chunk

    def _judge(self, batch: Sequence[tuple[_Burst, int, bytes]]) -> None:
        memories = [burst._memory for burst, _, _ in batch]
        probabilities = self._model.judge(batch[0][0]._rate_hz, [chunk for _, _, chunk in batch], memories)
        verdicts = [
            (burst, judged)
            for (burst, end, _), probability in zip(batch, probabilities, strict=True)
            if (judged := burst._verdict.take(end, probability)) is not None
        ]
        with self._changed:
            voices = sum(judged.is_voice for _, judged in verdicts)
            self._count(runs=1, chunks=len(batch), voices=voices, doubts=len(verdicts) - voices)
            if verdicts and not self._closing:
                self._loop.call_soon_threadsafe(self._deliver, verdicts)

    # --- with the lock held -------------------------------------------------------------------------------

    def _give_up(self, burst: _Burst) -> None:
        self._forget(burst)
        self._count(lost=1)

    def _forget(self, burst: _Burst) -> None:
        burst._open = False
        burst._pcm.clear()
        self._bursts.discard(burst)
        self._ready.pop(burst, None)

    def _count(self, **more: int) -> None:
        counts = self._counts
        self._counts = replace(counts, **{name: getattr(counts, name) + count for name, count in more.items()})
