"""Words as tones, and which of them are whole on a recording: the judge of `benchmarks.heard_text`."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass

import numpy as np

from media_core.tones import tone
from parley.conversation.ports import WordTime
from tests.support.phone_codec import Samples
from tests.support.recording import RATE_HZ

WORDS = (
    *("your", "appointment", "is", "on", "Thursday", "morning", "at", "half", "past", "nine", "please", "bring"),
    *("the", "letter", "with", "you", "and", "ring", "twice", "because", "reception", "opens", "somewhat", "later"),
)
LEAST_WORDS, MOST_WORDS = 6, 12
LONGEST_S = 3.2
"""The latest moment of an interruption: some utterances are over by then."""
LOWEST_HZ, STEP_HZ = 420.0, 90.0
HOP_MS, WINDOW_MS = 5, 20
BLUR_MS = 20
"""A packet's length: a word that lacks no more may be called heard or not."""
LEVEL_DBFS = -40.0


def utterance(rng: random.Random) -> str:
    """Return some words, none of them twice."""
    return " ".join(rng.sample(WORDS, rng.randint(LEAST_WORDS, MOST_WORDS))) + "."


def length_ms(word: str) -> int:
    """Return how long a word is said: by its letters, as speech is, give or take a third."""
    spread = zlib.crc32(word.encode()) % 67 / 100 - 0.33
    return max(80, round((60 + 55 * len(word)) * (1 + spread) / 5) * 5)


class ToneWords:
    """An utterance whose n-th word is a tone of the n-th frequency."""

    def __init__(self, text: str, rate_hz: int) -> None:
        self.words = text.rstrip(".").split()
        self.times: list[WordTime] = []
        pieces: list[bytes] = []
        at = 0
        for number, word in enumerate(self.words):
            pieces.append(tone([LOWEST_HZ + STEP_HZ * number], length_ms(word), rate_hz))
            samples = len(pieces[-1]) // 2
            self.times.append(WordTime(word, at, at + samples))
            at += samples
        self.pcm = b"".join(pieces)


@dataclass(frozen=True, slots=True)
class Judgement:
    """History against a recording, of one utterance or several."""

    utterances: int = 0
    words: int = 0
    heard: int = 0
    """Words whole on the recording."""
    remaining: int = 0
    """Words in history that are not whole on the recording."""
    lost: int = 0
    """Words that history lacks although the next one is on the recording."""
    wrong: int = 0
    """Utterances with a word wrong."""
    lacking_ms: tuple[int, ...] = ()
    """How much of each word that remains is not on the recording."""

    def __add__(self, other: Judgement) -> Judgement:
        return Judgement(
            self.utterances + other.utterances,
            self.words + other.words,
            self.heard + other.heard,
            self.remaining + other.remaining,
            self.lost + other.lost,
            self.wrong + other.wrong,
            self.lacking_ms + other.lacking_ms,
        )


def judge(text: str, heard: str, recording: Samples) -> Judgement:
    """Hold what history has of an utterance against what the phone recorded of it, at 8 kHz."""
    words = ToneWords(text, RATE_HZ).words
    recorded_ms = tones_ms(recording, len(words))
    claimed = len(heard.rstrip(".").split())
    lacking_ms = [length_ms(word) - ms for word, ms in zip(words, recorded_ms, strict=True)]
    remaining = tuple(lacking for lacking in lacking_ms[:claimed] if lacking > BLUR_MS)
    followed = [any(ms >= BLUR_MS for ms in recorded_ms[number + 1 :]) for number in range(len(words))]
    lost = sum(1 for number in range(claimed, len(words)) if followed[number])
    heard_words = sum(1 for lacking in lacking_ms if lacking <= BLUR_MS)
    return Judgement(1, len(words), heard_words, len(remaining), lost, int(bool(remaining or lost)), remaining)


def tones_ms(recording: Samples, count: int) -> list[int]:
    """Return for how long each of the first `count` tones is the loudest on a recording, in ms."""
    size, hop = WINDOW_MS * RATE_HZ // 1000, HOP_MS * RATE_HZ // 1000
    if len(recording) < size:
        return [0] * count
    windows = np.lib.stride_tricks.sliding_window_view(recording.astype(np.float64), size)[::hop]
    time_s = np.arange(size) / RATE_HZ
    frequencies = LOWEST_HZ + STEP_HZ * np.arange(count)
    probes = np.exp(-2j * np.pi * np.outer(time_s, frequencies)) * np.hanning(size)[:, None]
    strength = np.abs(windows @ probes)
    least = 32768 * 10 ** (LEVEL_DBFS / 20) * size / 4
    loudest = np.where(strength.max(axis=1) >= least, strength.argmax(axis=1), -1)
    return [int(np.count_nonzero(loudest == number)) * HOP_MS for number in range(count)]
