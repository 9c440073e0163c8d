"""The offline synthesiser for languages other than English: espeak-ng, a formant synthesiser."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from parley.conversation.errors import EngineMissing
from parley.engines.speech_program import SpeechProgram

VOICE_OF: Mapping[str, str] = {"en": "en-us", "zh": "cmn"}
"""Languages whose voice has another name."""

_VOICE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*(\+[A-Za-z0-9]+)?")


class EspeakSynthesizer(SpeechProgram):
    """Synthesizer with espeak-ng; no word times."""

    program = "espeak-ng"
    package = "espeak-ng"

    def __init__(self, *, words_per_minute: int = 160, deadline_s: float = 10.0, at_once: int = 4) -> None:
        """Prepare. Raises EngineMissing if the program is not installed."""
        super().__init__(deadline_s=deadline_s, at_once=at_once)
        self._words_per_minute = words_per_minute

    def voice(self, language: str, voice: str) -> str:
        """Return the voice's name (`en-us`, `cmn`, `en-gb+f2`); the language itself is one, too."""
        chosen = voice or VOICE_OF.get(language, language)
        if not _VOICE.fullmatch(chosen):
            raise EngineMissing(f"{chosen!r} is not the name of an espeak-ng voice (espeak-ng --voices lists them)")
        return chosen

    def arguments(self, voice: str, text: Path, speech: Path) -> Sequence[str]:
        """Return espeak-ng's arguments; `-b 1` is UTF-8, `-z` leaves the pause after the sentence out."""
        return ["-v", voice, "-s", str(self._words_per_minute), "-b", "1", "-z", "-f", str(text), "-w", str(speech)]
