"""Telling an answer from nonsense: a grammar decoder makes an answer of whatever it hears.

A second decoder hears the same audio as a free sequence of phones. Where the answer fits, its phones are nearly
those and its acoustic score is nearly as good; where nonsense was forced into the grammar, they differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

FRAME_MS = 10
TYPICAL_PHONE_FRAMES = 8
MIN_SPEECH_FRAMES = 12
"""No answer is shorter than 120 ms."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone of the free sequence; frames of 10 ms, both included."""

    name: str
    first_frame: int
    last_frame: int
    score: float
    """Log likelihood (nats) below the best model state of each frame."""

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.last_frame - self.first_frame + 1


@dataclass(frozen=True, slots=True)
class AnswerWord:
    """A word of the grammar decoder's answer."""

    text: str
    phones: tuple[str, ...]
    first_frame: int
    last_frame: int
    score: float
    """As in Phone."""
    posterior: float = 1.0
    """Probability among the alternatives, where there is a lattice (open vocabulary); else meaningless."""

    @property
    def frames(self) -> int:
        """How long it is."""
        return self.last_frame - self.first_frame + 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for an answer and against it."""

    fit: float
    """Log likelihood per frame of the answer's words."""
    fit_beside_phones: float
    """The same minus that of the free phones over the same frames."""
    worst_word: float
    """The word that is worst beside the free phones, per frame."""
    phone_distance: float
    """Edit distance of the answer's phones to the free ones, 0 (same) to 1; half price within a class."""
    coverage: float
    """Share of all free phones' frames that the answer's words cover."""
    odd_rate: float
    """How far the speed is from usual: |ln(frames per phone / 8)|."""
    stretch: float
    """ln of the frames per phone of the slowest word."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A logistic combination of the evidence, tuned on half of the sets in benchmarks/recognition_sets.py."""

    weights: Evidence
    bias: float
    threshold: float = 0.3
    """Answers below this confidence are rejected.

    Between 0.3 and 0.6 a flow has them confirmed: the room between is what keeps answers spoken in noise.
    """

    def confidence(self, evidence: Evidence) -> float:
        """Return the probability, 0 to 1, that this is an answer (answers and nonsense being equally frequent)."""
        logit = self.bias + sum(
            getattr(self.weights, field.name) * getattr(evidence, field.name) for field in fields(Evidence)
        )
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


def gather(words: Sequence[AnswerWord], phones: Sequence[Phone]) -> Evidence | None:
    """Weigh the answer's words (fillers left out) against the free phones; None if there is no speech in it.

    phones: all of them, silence named `SIL` and noises `+NSN+` included.
    """
    frames = sum(word.frames for word in words)
    spelled = [name for word in words for name in word.phones]
    heard = [phone for phone in phones if phone.name.isalpha() and phone.name != "SIL"]
    if frames < MIN_SPEECH_FRAMES or not spelled or not heard:
        return None
    score = sum(word.score for word in words)
    beside = [word.score - _score_within(phones, word.first_frame, word.last_frame) for word in words]
    speech_frames = sum(phone.frames for phone in heard)
    covered = sum(_overlap(phone, word.first_frame, word.last_frame) for phone in heard for word in words)
    return Evidence(
        fit=score / frames,
        fit_beside_phones=sum(beside) / frames,
        worst_word=min(difference / word.frames for difference, word in zip(beside, words, strict=True)),
        phone_distance=phone_distance(spelled, [phone.name for phone in heard]),
        coverage=covered / speech_frames,
        odd_rate=abs(math.log(frames / len(spelled) / TYPICAL_PHONE_FRAMES)),
        stretch=max(math.log(word.frames / max(1, len(word.phones))) for word in words),
    )


def _overlap(phone: Phone, first_frame: int, last_frame: int) -> int:
    return max(0, min(phone.last_frame, last_frame) - max(phone.first_frame, first_frame) + 1)


def _score_within(phones: Sequence[Phone], first_frame: int, last_frame: int) -> float:
    return sum(phone.score * _overlap(phone, first_frame, last_frame) / phone.frames for phone in phones)


_CLASSES = (
    frozenset(["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"]),
    frozenset(["B", "D", "G", "K", "P", "T"]),
    frozenset(["CH", "DH", "F", "HH", "JH", "S", "SH", "TH", "V", "Z", "ZH"]),
    frozenset(["M", "N", "NG"]),
    frozenset(["L", "R", "W", "Y"]),
)
_CLASS_OF = {phone: number for number, phones in enumerate(_CLASSES) for phone in phones}


def phone_distance(said: Sequence[str], heard: Sequence[str]) -> float:
    """Return the edit distance divided by the longer length; replacing a phone by one of its class costs half."""
    row = [float(cost) for cost in range(len(heard) + 1)]
    for index, phone in enumerate(said, 1):
        above, row = row, [float(index)]
        for column, other in enumerate(heard, 1):
            replaced = above[column - 1] + _replacement(phone, other)
            row.append(min(replaced, above[column] + 1, row[-1] + 1))
    return row[-1] / max(len(said), len(heard), 1)


def _replacement(phone: str, other: str) -> float:
    if phone == other:
        return 0.0
    return 0.5 if _CLASS_OF.get(phone, -1) == _CLASS_OF.get(other, -2) else 1.0


WIDEBAND = Judge(
    Evidence(
        fit=0.441,
        fit_beside_phones=1.201,
        worst_word=0.386,
        phone_distance=-4.144,
        coverage=7.943,
        odd_rate=-3.982,
        stretch=-0.634,
    ),
    bias=5.821,
)
"""For the en-us model of the pocketsphinx wheel, 8 kHz audio brought to 16 kHz."""

NARROWBAND = Judge(
    Evidence(
        fit=0.297,
        fit_beside_phones=1.284,
        worst_word=0.596,
        phone_distance=-6.250,
        coverage=6.229,
        odd_rate=-2.071,
        stretch=-0.751,
    ),
    bias=9.526,
)
"""For hub4wsj_sc_8k."""
