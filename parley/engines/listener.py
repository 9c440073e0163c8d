"""One utterance, synchronously: audio in, partial texts, then a judged hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from media_core.resampler import Resampler
from parley.conversation.errors import EngineError
from parley.conversation.ports import Hypothesis, Word
from parley.engines.acoustic_model import AcousticModel
from parley.engines.decoders import GrammarDecoder, OpenDecoder, PhoneLoop
from parley.engines.rejection import FRAME_MS, AnswerWord, Evidence, gather


class Listener(Protocol):
    """Whoever can listen to an utterance; one at a time, in one thread."""

    def start(self, rate_hz: int, grammar: str) -> None:
        """Begin an utterance; one that is still open is abandoned. Raises EngineError."""
        ...

    def hear(self, pcm: bytes) -> str:
        """Take more audio and return what is understood so far."""
        ...

    def finish(self) -> Finding:
        """End the utterance and judge it."""
        ...

    def abandon(self) -> None:
        """Leave the utterance; harmless when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """The end of an utterance."""

    hypothesis: Hypothesis
    evidence: Evidence | None = None
    """What the judgement is based on; None without speech, and for open vocabulary."""


NOTHING = Finding(Hypothesis(text="", final=True, rejected=True))


class GrammarListener:
    """Listens for what a grammar allows, with a phone loop beside it that tells nonsense."""

    def __init__(self, model: AcousticModel) -> None:
        """Load both decoders. Raises EngineError."""
        self._judge = model.judge
        self._rate_hz = model.rate_hz
        self._words = GrammarDecoder(model)
        self._phones = PhoneLoop(model)
        self._resampler: Resampler | None = None

    def start(self, rate_hz: int, grammar: str) -> None:
        """Begin an utterance."""
        self._words.listen_for(grammar)
        self._resampler = _resampler(rate_hz, self._rate_hz)
        self._words.start()
        self._phones.start()

    def hear(self, pcm: bytes) -> str:
        """Take more audio and return what is understood so far."""
        if self._resampler is None:
            raise EngineError("no utterance has been started")
        audio = self._resampler.process(pcm)
        self._words.feed(audio)
        self._phones.feed(audio)
        return self._words.text()

    def finish(self) -> Finding:
        """End the utterance and judge the answer."""
        self._words.end()
        self._phones.end()
        text = self._words.text()
        words = self._words.words()
        evidence = gather(words, self._phones.phones()) if text else None
        if evidence is None:
            return NOTHING
        confidence = self._judge.confidence(evidence)
        return Finding(
            Hypothesis(
                text=text,
                final=True,
                confidence=confidence,
                rejected=confidence < self._judge.threshold,
                words=tuple(_timed(word, confidence) for word in words),
            ),
            evidence,
        )

    def abandon(self) -> None:
        """Leave the utterance."""
        self._words.abandon()
        self._phones.abandon()


class OpenListener:
    """Listens for any words."""

    def __init__(self, model: AcousticModel) -> None:
        """Load the decoder. Raises EngineError."""
        self._rate_hz = model.rate_hz
        self._words = OpenDecoder(model)
        self._resampler: Resampler | None = None

    def start(self, rate_hz: int, grammar: str) -> None:
        """Begin an utterance; `grammar` is empty."""
        self._resampler = _resampler(rate_hz, self._rate_hz)
        self._words.start()

    def hear(self, pcm: bytes) -> str:
        """Take more audio and return what is understood so far."""
        if self._resampler is None:
            raise EngineError("no utterance has been started")
        self._words.feed(self._resampler.process(pcm))
        return self._words.text()

    def finish(self) -> Finding:
        """End the utterance; the confidence is the words' mean."""
        self._words.end()
        words = self._words.words()
        if not words:
            return NOTHING
        confidence = sum(word.posterior for word in words) / len(words)
        timed = tuple(_timed(word, word.posterior) for word in words)
        return Finding(Hypothesis(self._words.text(), final=True, confidence=confidence, words=timed))

    def abandon(self) -> None:
        """Leave the utterance."""
        self._words.abandon()


def _resampler(from_hz: int, to_hz: int) -> Resampler:
    if from_hz not in (8000, 16000):
        raise EngineError(f"audio comes at 8000 or 16000 Hz, not {from_hz}")
    return Resampler(from_hz, to_hz)


def _timed(word: AnswerWord, confidence: float) -> Word:
    return Word(word.text, word.first_frame * FRAME_MS, (word.last_frame + 1) * FRAME_MS, confidence)
