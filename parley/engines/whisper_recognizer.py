"""Recognizer over any Whisper runtime: finals, sparse partials, and guards against what Whisper makes up.

Whisper decodes clips of 30 s, whatever is in them, and cannot go on where it stopped. So an utterance is decoded as a
whole: at its end, at each pause (the final then waits for nothing), and now and then while the caller speaks.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from media_core.resampler import Resampler
from parley.conversation.errors import EngineError
from parley.conversation.ports import Hypothesis, RecognitionRequest, Word
from parley.engines.agreement import Agreement
from parley.engines.decode_queue import DecodeQueue, Decoding, Urgency
from parley.engines.hallucination import Guards, Sound, confidence
from parley.engines.sound_meter import SoundMeter
from parley.engines.transcription import RATE_HZ, Passage, Stopped, Transcriber

PAUSE_MS = 160
"""A caller who is quiet for so long may have finished: decoding begins while the endpointer still waits."""
NOTHING = Hypothesis(text="", final=True, rejected=True)
_WORD = re.compile(r"\s*(?:[\u3400-\u9fff]|[^\s\u3400-\u9fff]+)")


def _slots() -> int:
    return max(1, len(os.sched_getaffinity(0)) - 1)


@dataclass(frozen=True, slots=True)
class WhisperLimits:
    """How much one worker decodes, and how long callers wait for it."""

    slots: int = field(default_factory=_slots)
    """Decodings at once, each on a thread; the rest waits, finals first."""
    final_s: float = 1.8
    """From the end of an utterance's audio to its final: a little less than a client waits (`Deadlines.final_s`)."""
    partial_ms: int = 1000
    """A partial for each so much more of the utterance; 0: none. With one slot there are none between pauses."""


@dataclass(frozen=True, slots=True)
class _Transcript:
    """What a decoding made of the utterance up to some place."""

    passages: list[Passage]
    until_ms: int


class WhisperRecognizer:
    """Recognizer with a Transcriber."""

    def __init__(
        self, transcriber: Transcriber, limits: WhisperLimits | None = None, guards: Guards | None = None
    ) -> None:
        """Prepare; the model is loaded with the first utterance or by `warm_up()`."""
        self._transcriber = transcriber
        self._limits = limits = limits or WhisperLimits()
        self._guards = guards or Guards()
        self._queue: DecodeQueue[_Transcript] = DecodeQueue(limits.slots)

    @property
    def in_use(self) -> int:
        """Decodings under way or waiting."""
        return self._queue.busy + self._queue.waiting

    async def recognize(self, request: RecognitionRequest, audio: AsyncIterator[bytes]) -> AsyncGenerator[Hypothesis]:
        """Yield what two decodings agree on whenever that grows, then the final. Raises EngineError."""
        if request.rate_hz not in (8000, 16000):
            raise EngineError(f"audio comes at 8000 or 16000 Hz, not {request.rate_hz}")
        hearing = _Hearing(request, self._transcriber, self._queue, self._guards, self._limits.partial_ms)
        agreement, told = Agreement(), ""
        try:
            async for block in audio:
                hearing.add(block)
                transcript = await hearing.news()
                text = "" if transcript is None else agreement.take(_words_of(self._credible(transcript, hearing)))
                if text and text != told:
                    told = text
                    yield Hypothesis(text, final=False)
            if not self._guards.worth_decoding(hearing.sound):
                yield NOTHING
                return
            transcript = await hearing.whole(self._limits.final_s)
            yield _final(self._credible(transcript, hearing))
        finally:
            hearing.give_up()

    def _credible(self, transcript: _Transcript, hearing: _Hearing) -> list[Passage]:
        sound = hearing.sound
        return [passage for passage in transcript.passages if self._guards.credible(passage, sound)]

    async def warm_up(self) -> None:
        """Load the model and decode a silent second, so that no caller waits for it. Raises EngineError."""

        def work(stopped: Stopped) -> _Transcript:
            self._transcriber.load()
            return _Transcript(self._transcriber.transcribe(bytes(RATE_HZ * 2), "en", stopped), 1000)

        decoding = self._queue.submit(work, Urgency.FINAL)
        try:
            await decoding.outcome()
        finally:
            self._queue.give_up(decoding)

    def close(self) -> None:
        """End the threads when their work is done; not to be used afterwards."""
        self._queue.close()


class _Hearing:
    """One utterance: its audio so far, and the one decoding of it that is under way."""

    def __init__(
        self,
        request: RecognitionRequest,
        transcriber: Transcriber,
        queue: DecodeQueue[_Transcript],
        guards: Guards,
        partial_ms: int,
    ) -> None:
        self._language = request.language
        self._transcriber = transcriber
        self._queue = queue
        self._guards = guards
        self._partial_ms = partial_ms
        self._resampler = Resampler(request.rate_hz, RATE_HZ)
        self._meter = SoundMeter(RATE_HZ)
        self._pcm = bytearray()
        self._decoding: Decoding[_Transcript] | None = None
        self._asked_ms = 0
        """How much of the utterance the latest decoding covers, or would if it began now."""
        self._latest: _Transcript | None = None
        self._turn = 0

    @property
    def sound(self) -> Sound:
        """How much was to be heard so far."""
        return Sound(self._meter.sound_ms, self._meter.peak_dbfs)

    def add(self, block: bytes) -> None:
        """Take audio; have it decoded early where that is due."""
        self._extend(self._resampler.process(block))
        if self._decoding is not None:
            if not self._decoding.begun:
                self._asked_ms = self._length_ms
            return
        if self._meter.last_sound_ms <= self._asked_ms or not self._guards.worth_decoding(self.sound):
            return
        if self._meter.pause_ms >= PAUSE_MS:
            self._ask(Urgency.EARLY)
        elif self._partial_ms and self._length_ms - self._asked_ms >= self._partial_ms and self._queue.slots > 1:
            self._ask(Urgency.PARTIAL)

    async def news(self) -> _Transcript | None:
        """Return what a decoding has come to since the last time, without waiting. Raises EngineError."""
        decoding = self._decoding
        if decoding is None or not decoding.done:
            return None
        self._decoding = None
        self._latest = await decoding.outcome()
        return self._latest

    async def whole(self, within_s: float) -> _Transcript:
        """Return the transcript of the ended utterance: that of the last pause if nothing was said since.

        Raises EngineError.
        """
        self._extend(self._resampler.flush())
        spoken_ms = self._meter.last_sound_ms
        decoding, self._decoding = self._decoding, None
        if decoding is not None and decoding.begun and self._asked_ms >= spoken_ms:
            return await self._queue.outcome(decoding, within_s)
        if decoding is not None:
            self._queue.give_up(decoding)
        elif self._latest is not None and self._latest.until_ms >= spoken_ms:
            return self._latest
        return await self._queue.outcome(self._queue.submit(self._decode, Urgency.FINAL), within_s)

    def give_up(self) -> None:
        """Leave the utterance: nothing of it waits any more. May be called twice."""
        if self._decoding is not None:
            self._queue.give_up(self._decoding)
            self._decoding = None

    def _ask(self, urgency: Urgency) -> None:
        self._asked_ms = self._length_ms
        self._decoding = self._queue.submit(self._decode, urgency, self._turn)
        self._turn = self._queue.next_turn()

    def _decode(self, stopped: Stopped) -> _Transcript:
        """Decode what there is when a thread is free; in that thread."""
        pcm = bytes(self._pcm)
        self._transcriber.load()
        return _Transcript(self._transcriber.transcribe(pcm, self._language, stopped), len(pcm) * 500 // RATE_HZ)

    def _extend(self, pcm: bytes) -> None:
        self._meter.add(pcm)
        self._pcm += pcm

    @property
    def _length_ms(self) -> int:
        return len(self._pcm) * 500 // RATE_HZ


def _words_of(passages: list[Passage]) -> list[str]:
    """Return the words with the spaces before them; each Chinese character is one."""
    return _WORD.findall("".join(passage.text for passage in passages))


def _final(passages: list[Passage]) -> Hypothesis:
    text = " ".join("".join(passage.text for passage in passages).split())
    if not text:
        return NOTHING
    words = tuple(
        Word(word.text.strip(), round(word.start_s * 1000), round(word.end_s * 1000), min(1.0, word.probability))
        for passage in passages
        for word in passage.words
    )
    return Hypothesis(text, final=True, confidence=confidence(passages), words=words)
