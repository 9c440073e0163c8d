"""Load recorded prompts as PCM at the call's rate; the agent's voice plays them."""

from __future__ import annotations

import wave
from functools import lru_cache

from media_core.errors import MediaError
from media_core.resampler import Resampler
from parley.conversation.errors import PromptError

CACHED_PROMPTS = 256
"""Prompts kept in memory, about 100 KB each: calls repeat the same ones."""


@lru_cache(maxsize=CACHED_PROMPTS)
def load_prompt(path: str, rate_hz: int) -> bytes:
    """Return a prompt's audio, int16 little-endian mono at `rate_hz`; read once per process.

    path: a WAV file, 16-bit mono.   Raises PromptError, naming the file and the fix.
    """
    try:
        with wave.open(path, "rb") as file:
            if file.getsampwidth() != 2 or file.getnchannels() != 1:
                raise PromptError(f"{path}: recorded prompts are 16-bit mono WAV; convert it")
            pcm, from_hz = file.readframes(file.getnframes()), file.getframerate()
    except (OSError, EOFError, wave.Error) as err:
        raise PromptError(f"{path}: cannot be read as WAV ({err})") from err
    if from_hz == rate_hz:
        return pcm
    try:
        resampler = Resampler(from_hz, rate_hz)
        return resampler.process(pcm) + resampler.flush()
    except MediaError as err:
        raise PromptError(f"{path}: {from_hz} Hz cannot be converted to {rate_hz} Hz; use 8000 or 16000 Hz") from err
