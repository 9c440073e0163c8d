"""Load recorded prompts as PCM at the call's rate; the agent's voice plays them."""

from __future__ import annotations

import asyncio
import wave

from media_core.errors import MediaError
from media_core.resampler import Resampler
from parley.conversation.errors import PromptError

CACHED_PROMPTS = 256
"""Prompts kept in memory, about 100 KB each: calls repeat the same ones."""
PIECE_MS = 100
"""Converted at a time: conversion holds the interpreter, and the media of all calls needs it in between."""

_cache: dict[tuple[str, int], bytes] = {}


async def prompt_audio(path: str, rate_hz: int) -> bytes:
    """Return a prompt's audio as `load_prompt` does, at once when it was played before, without holding up the loop.

    The disk is read on a thread, once per process. Raises PromptError. Cancelling: the thread finishes by itself.
    """
    key = (path, rate_hz)
    if key not in _cache:
        pcm = await asyncio.to_thread(load_prompt, path, rate_hz)
        if len(_cache) >= CACHED_PROMPTS:
            del _cache[next(iter(_cache))]
        _cache[key] = pcm
    return _cache[key]


def load_prompt(path: str, rate_hz: int) -> bytes:
    """Read a prompt's audio, int16 little-endian mono at `rate_hz`. Slow: some 10 ms for a prompt of 15 s.

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
        size = from_hz * PIECE_MS // 1000 * 2
        pieces = [resampler.process(pcm[at : at + size]) for at in range(0, len(pcm), size)]
        return b"".join(pieces) + resampler.flush()
    except MediaError as err:
        raise PromptError(f"{path}: {from_hz} Hz cannot be converted to {rate_hz} Hz; use 8000 or 16000 Hz") from err
