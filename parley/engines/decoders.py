"""PocketSphinx decoders for one utterance at a time; synchronous, each used by one thread at once.

A decoder holds the GIL while it works, so audio goes in by 20 ms pieces and the event loop is never held for
more than a few ms; it also means that one worker process decodes on one core.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import OrderedDict

from parley.conversation.errors import EngineError
from parley.engines.acoustic_model import AcousticModel, sphinx
from parley.engines.grammar import Grammar
from parley.engines.pronunciation import pronounce
from parley.engines.rejection import AnswerWord, Phone

PIECE_MS = 20
GRAMMARS_KEPT = 32
LOWEST = 1e-320
"""Scores come as likelihoods: log() needs more than 0."""
SCORE_SCALE = 1024
"""Without a lattice pocketsphinx 5 shifts segment scores right by 10 bits before it makes likelihoods of them."""

_VARIANT = re.compile(r"\(\d+\)$")


class SphinxDecoder:
    """What the kinds of decoders share: utterances, and audio in small pieces."""

    def __init__(self, model: AcousticModel, **settings: object) -> None:
        """Load the model (0.2 s). Raises EngineError."""
        try:
            self._decoder = sphinx().Decoder(**(model.config() | settings))
        except (RuntimeError, ValueError) as err:
            raise EngineError(f"PocketSphinx cannot load the model in {model.folder}") from err
        self._mean = model.cepstral_mean
        self._piece = model.rate_hz * PIECE_MS // 1000 * 2
        self._open = False

    def start(self) -> None:
        """Begin an utterance; one that is still open is abandoned."""
        self.abandon()
        self._decoder.set_cmn(self._mean)
        self._decoder.start_utt()
        self._open = True

    def feed(self, pcm: bytes) -> None:
        """Hear more audio at the model's rate."""
        for start in range(0, len(pcm), self._piece):
            self._decoder.process_raw(pcm[start : start + self._piece], False, False)

    def end(self) -> None:
        """End the utterance; the results may be asked for now."""
        self._decoder.end_utt()
        self._open = False

    def abandon(self) -> None:
        """Leave an open utterance; harmless when there is none."""
        if self._open:
            self.end()

    def text(self) -> str:
        """Return what is understood so far, or in the end."""
        hypothesis = self._decoder.hyp()
        return hypothesis.hypstr if hypothesis is not None else ""

    def words(self) -> list[AnswerWord]:
        """Return the words of the ended utterance, without silence and noises."""
        words = []
        for segment in self._decoder.seg() or ():
            if segment.word[0] in "<[+(":
                continue
            words.append(
                AnswerWord(
                    text=_VARIANT.sub("", segment.word),
                    phones=tuple((self._decoder.lookup_word(segment.word) or "").split()),
                    first_frame=segment.start_frame,
                    last_frame=segment.end_frame,
                    score=math.log(max(segment.ascore, LOWEST)) * SCORE_SCALE,
                    posterior=min(1.0, segment.prob),
                )
            )
        return words


class GrammarDecoder(SphinxDecoder):
    """Hears nothing but what a grammar allows; it may change with each utterance.

    A new grammar costs 2 ms (30 ms with 140 words), one of the latest 32 nothing.
    """

    def __init__(self, model: AcousticModel) -> None:
        """Load the model.

        Scores are relative to the best of all states, to be comparable with PhoneLoop's. Without the search for
        the best path through the lattice, which takes 40 ms of the caller's waiting.
        """
        super().__init__(model, compallsen=True, bestpath=False)
        self._grammars: OrderedDict[str, str] = OrderedDict()

    def listen_for(self, grammar: str) -> None:
        """Use this JSGF for the next utterance. Raises EngineError."""
        self.abandon()
        name = self._grammars.get(grammar)
        if name is None:
            name = self._compile(grammar)
        self._grammars.move_to_end(grammar)
        self._decoder.activate_search(name)
        while len(self._grammars) > GRAMMARS_KEPT:
            self._decoder.remove_search(self._grammars.popitem(last=False)[1])

    def _compile(self, text: str) -> str:
        grammar = Grammar(text)
        unspeakable = {word for word in grammar.words if not self._pronounceable(word)}
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        try:
            self._decoder.add_jsgf_string(name, grammar.without(unspeakable))
        except (RuntimeError, ValueError) as err:
            raise EngineError("the grammar is not valid JSGF with one public rule") from err
        self._grammars[text] = name
        return name

    def _pronounceable(self, word: str) -> bool:
        """Have the word in the dictionary, by a pronunciation of our own if it lacks it; False if it has none."""
        if self._decoder.lookup_word(word) is not None:
            return True
        phones = pronounce(word)
        if phones:
            self._decoder.add_word(word, phones, True)
        return bool(phones)


class PhoneLoop(SphinxDecoder):
    """Hears any sequence of phones."""

    def __init__(self, model: AcousticModel) -> None:
        """Load the model, without its dictionary (0.02 s)."""
        super().__init__(model, compallsen=True, dict=None)
        self._decoder.add_allphone_file("phones", None)
        self._decoder.activate_search("phones")

    def phones(self) -> list[Phone]:
        """Return the phones of the ended utterance, silence and noises included."""
        return [
            Phone(
                name=segment.word,
                first_frame=segment.start_frame,
                last_frame=segment.end_frame,
                score=math.log(max(segment.ascore, LOWEST)) * SCORE_SCALE,
            )
            for segment in self._decoder.seg() or ()
        ]


class OpenDecoder(SphinxDecoder):
    """Hears any English words: costly (RTF 0.4–0.7) and often wrong on the telephone."""

    def __init__(self, model: AcousticModel) -> None:
        """Load the model and the language model; the flat second pass is left out for a quick final."""
        super().__init__(model, lm=str(model.language_model), fwdflat=False)
