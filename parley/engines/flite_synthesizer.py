"""The offline default for English: flite, a small diphone and clustergen synthesiser."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from parley.conversation.errors import EngineMissing
from parley.engines.speech_program import SpeechProgram

VOICES = ("rms", "slt", "awb", "kal16", "kal")

_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": ", ", "…": "."})


class FliteSynthesizer(SpeechProgram):
    """Synthesizer with flite; no word times."""

    program = "flite"
    package = "flite"

    def voice(self, language: str, voice: str) -> str:
        """Return the voice's name; `rms` by default."""
        if language != "en":
            raise EngineMissing(f"flite speaks only 'en', not {language!r}: use espeak-ng")
        if voice and voice not in VOICES:
            raise EngineMissing(f"flite has no voice {voice!r}; it has: {', '.join(VOICES)}")
        return voice or VOICES[0]

    def arguments(self, voice: str, text: Path, speech: Path) -> Sequence[str]:
        """Return flite's arguments."""
        return ["-voice", voice, "-f", str(text), "-o", str(speech)]

    def encode(self, text: str) -> bytes:
        """Return ASCII, which is all that flite reads: accents are dropped."""
        return unicodedata.normalize("NFKD", text.translate(_PLAIN)).encode("ascii", "ignore") + b"\n"
