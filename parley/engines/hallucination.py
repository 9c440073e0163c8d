"""Telling what Whisper heard from what it made up: in near-silence it writes what subtitles end with.

Pure functions over passages and the utterance's sound; `WhisperRecognizer` asks before it gives a final.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from parley.engines.agreement import plain
from parley.engines.transcription import Passage

PHANTOMS = frozenset(
    plain(text)
    for text in (
        "Thanks for watching!",
        "Thank you for watching.",
        "Thank you so much for watching!",
        "Thanks for listening.",
        "Please subscribe to my channel.",
        "Like and subscribe.",
        "Don't forget to like and subscribe!",
        "See you in the next video.",
        "Subtitles by the Amara.org community",
        "Transcription by CastingWords",
        "谢谢观看",
        "感谢观看",
        "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
        "字幕由Amara.org社区提供",
        "字幕志愿者 李宗盛",
    )
)
"""Nobody says these to a call centre: refused however clear the sound is."""
SOUNDS = re.compile(r"\s*[\[(]\s*(?:music|silence)\s*[\])][\s.]*", re.IGNORECASE)
"""In brackets it is a subtitle's word for a sound; without them callers do answer so."""
DOUBTFUL = frozenset(
    plain(text)
    for text in ("Thank you.", "Thank you very much.", "Thanks.", "You", "Bye.", "Bye-bye.", "Okay.", "So", "Oh", "Hmm",
                 "I'm sorry.", "The end.", "Music", "Silence", "谢谢", "谢谢大家", "嗯", "好", "再见")
)  # fmt: skip
"""Callers do say these: refused only where there is hardly a sound, or the model itself doubts that anybody spoke."""


@dataclass(frozen=True, slots=True)
class Sound:
    """How much there was to be heard."""

    sound_ms: int
    """Frames that rise above the background."""
    peak_dbfs: float


@dataclass(frozen=True, slots=True)
class Guards:
    """Where doubt begins. The first three are the thresholds of Whisper's own authors."""

    no_speech: float = 0.6
    log_probability: float = -1.0
    compression: float = 2.4
    least_sound_ms: int = 60
    """Less sound than this is not decoded at all: a click."""
    faint_ms: int = 200
    faint_dbfs: float = -40.0
    """Less sound, or a quieter loudest frame, than these is near-silence."""
    doubt: float = 0.3
    """In near-silence, and for doubtful phrases, this chance that nobody spoke is enough."""

    def worth_decoding(self, sound: Sound) -> bool:
        """Tell whether there is anything to be decoded."""
        return sound.sound_ms >= self.least_sound_ms

    def credible(self, passage: Passage, sound: Sound) -> bool:
        """Tell whether somebody said this."""
        said = plain(passage.text)
        made_up = said in PHANTOMS or SOUNDS.fullmatch(passage.text)
        if not said or made_up or passage.compression_ratio > self.compression:
            return False
        if passage.mean_log_probability < self.log_probability:
            return False
        faint = sound.sound_ms < self.faint_ms or sound.peak_dbfs < self.faint_dbfs
        doubted = passage.no_speech_probability > self.doubt
        if said in DOUBTFUL and (faint or doubted):
            return False
        return passage.no_speech_probability <= self.no_speech and not (faint and doubted)


def confidence(passages: Sequence[Passage]) -> float:
    """Return 0 (a guess) to 1: the mean probability of the words, else of the tokens."""
    probabilities = [word.probability for passage in passages for word in passage.words]
    if not probabilities:
        probabilities = [math.exp(passage.mean_log_probability) for passage in passages]
    return min(1.0, max(0.0, sum(probabilities) / len(probabilities))) if probabilities else 0.0
