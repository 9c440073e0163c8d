"""Make test speech at 8 kHz with flite or espeak-ng; the same words are made once and kept.

The caller's voice is flite's `rms`. Both programs come from the distribution or from tools/prepare.py.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.asterisk_program import REPOSITORY
from tests.support.recording import load_wav

CALLER_VOICE = "rms"
CACHE = REPOSITORY / ".cache" / "speech"
_UNPACKED_PROGRAMS = REPOSITORY / ".cache" / "bin"


class SpeechProgramMissing(RuntimeError):
    """The program that would speak is not on this machine."""


def find_speech_program(name: str) -> str:
    """Return the path of flite or espeak-ng. Raises SpeechProgramMissing."""
    path = shutil.which(name) or shutil.which(name, path=str(_UNPACKED_PROGRAMS))
    if path is None:
        raise SpeechProgramMissing(f"{name} is missing; run: python3 tools/prepare.py --with speech")
    return path


def require_speech() -> None:
    """Skip the calling test when flite is missing."""
    try:
        find_speech_program("flite")
    except SpeechProgramMissing as error:
        pytest.skip(str(error))


def caller_says(words: str, voice: str = CALLER_VOICE) -> bytes:
    """Return English speech by flite, int16 little-endian at 8 kHz. Raises SpeechProgramMissing."""
    return _spoken(("flite", "-voice", voice, "-t", words, "-o"))


def espeak_says(words: str, voice: str = "en") -> bytes:
    """Return speech by espeak-ng in any of its languages. Raises SpeechProgramMissing."""
    return _spoken(("espeak-ng", "-v", voice, "--stdin", "-w"), words)


def _spoken(command: tuple[str, ...], stdin: str = "") -> bytes:
    key = hashlib.sha256("\0".join((*command, stdin)).encode()).hexdigest()[:24]
    kept = CACHE / f"{key}.wav"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=CACHE, suffix=".wav", delete=False) as out:
            made = Path(out.name)
        program = find_speech_program(command[0])
        subprocess.run([program, *command[1:], str(made)], input=stdin, text=True, check=True, timeout=60)
        os.replace(made, kept)
    return load_wav(kept)
