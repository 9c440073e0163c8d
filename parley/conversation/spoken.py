"""What of a sentence was heard: the words as they are said against the samples that were played.

Pure; the agent's voice keeps one SpokenSentence for each sentence it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from parley.conversation.flow.step import Line
from parley.conversation.ports import WordTime
from parley.conversation.sound_edges import SoundEdges
from parley.conversation.text.normaliser import written_out
from parley.conversation.text.sentences import split_sentences
from parley.conversation.text.written_out import WrittenOut

SAMPLES_PER_CHARACTER_S = 0.065
"""Typical speaking rate, for sentences cut off before their synthesis was complete (about 15 characters a second)."""

_TOKEN = re.compile(r"[\u3400-\u9fff][^\w\s]*|[^\s\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A piece of a line that is synthesised, played and interrupted as one."""

    words: WrittenOut
    recording: str
    """Path of a recorded prompt, or empty."""
    interruptible: bool

    @property
    def text(self) -> str:
        """As the author wrote it: for transcript and history."""
        return self.words.text


def sentences_of(lines: Iterable[Line], language: str) -> list[Sentence]:
    """Cut lines into sentences, written out as they are said; a recorded line stays whole, and as it is."""
    sentences = []
    for line in lines:
        for text in [line.text] if line.recording else split_sentences(line.text):
            as_it_is = line.recording or line.as_written
            words = WrittenOut(text) if as_it_is else written_out(text, language)
            sentences.append(Sentence(words, line.recording, line.interruptible))
    return sentences


@dataclass(slots=True)
class SpokenSentence:
    """A sentence on its way to the caller's ear."""

    words: WrittenOut
    rate_hz: int
    start_mark: int
    """`played_samples` when its first sample goes out."""
    samples: int = 0
    """Queued so far."""
    complete: bool = False
    """All of it is queued."""
    word_times: list[WordTime] = field(default_factory=list)
    """Of the words as they are said, where the engine gives them."""
    cut_mark: int | None = None
    """`played_samples` when it was silenced; None while it was not."""
    heard_before: int = 0
    """Samples from its beginning that the caller had heard when it was begun again."""
    sound: SoundEdges | None = None
    """Where in its audio it sounds; None: all of it."""

    @property
    def end_mark(self) -> int:
        """`played_samples` when all that is queued of it has gone out."""
        return self.start_mark + self.samples

    def cut(self, played_samples: int) -> None:
        """Take note that nothing more of it is played."""
        if self.cut_mark is None:
            self.cut_mark = played_samples

    def played_wholly(self, played_samples: int) -> bool:
        """Tell whether its last sample has gone out."""
        return self.complete and self._reached(played_samples) >= self.end_mark

    def heard(self, played_samples: int) -> str:
        """Return the words that had been played wholly."""
        played = self.heard_samples(played_samples)
        if played <= 0:
            return ""
        if self.played_wholly(played_samples):
            return self.words.text
        cut = self._aligned_cut(played) if self.word_times else self._proportional_cut(played)
        return self.words.text[: self.words.cut_in_text(cut)].rstrip()

    def heard_samples(self, played_samples: int) -> int:
        """Return how many samples from its beginning the caller has heard, now or before it was begun again."""
        return max(self.heard_before, self._reached(played_samples) - self.start_mark)

    def interrupted_at(self, played_samples: int) -> tuple[int, bool]:
        """Return the sample at which its first word begins that was not heard wholly, and whether that is certain.

        It is certain where the engine gives word times, otherwise estimated; 0 when no word was heard.
        """
        played = self.heard_samples(played_samples)
        if self.word_times:
            heard = [word for word in self.word_times if word.end_samples <= played]
            following = self.word_times[len(heard) :]
            return (following[0].start_samples if following else played) if heard else 0, True
        cut = self._proportional_cut(played)
        begin, length = self._estimated_sound
        return (min(played, begin + cut * length // max(1, len(self.words.said))) if cut else 0), False

    def _reached(self, played_samples: int) -> int:
        return played_samples if self.cut_mark is None else min(played_samples, self.cut_mark)

    def _aligned_cut(self, played: int) -> int:
        cut = 0
        for word in self.word_times:
            found = self.words.said.find(word.text, cut)
            if word.end_samples > played:
                break
            if found >= 0:
                cut = found + len(word.text)
        return self._with_punctuation(cut)

    def _proportional_cut(self, played: int) -> int:
        """Share the samples in which the sentence sounds among its characters."""
        length = max(1, len(self.words.said))
        begin, total = self._estimated_sound
        played -= begin
        cut = 0
        for token in _TOKEN.finditer(self.words.said):
            if token.end() * total > played * length:
                break
            cut = token.end()
        return cut

    @property
    def _estimated_sound(self) -> tuple[int, int]:
        """Return where the sentence begins to sound, and for how many samples; an unfinished one at a typical rate."""
        begin, end = 0, self.samples
        if self.sound is not None and self.sound.begin is not None:
            begin, end = self.sound.begin, self.sound.end
        typical = 0 if self.complete else round(len(self.words.said) * SAMPLES_PER_CHARACTER_S * self.rate_hz)
        return begin, max(end - begin, typical)

    def _with_punctuation(self, cut: int) -> int:
        """Move the cut behind the punctuation that belongs to the last word."""
        while (
            0 < cut < len(self.words.said) and not self.words.said[cut].isspace() and not self.words.said[cut].isalnum()
        ):
            cut += 1
        return cut
