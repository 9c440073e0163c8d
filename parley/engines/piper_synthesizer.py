"""The neural synthesiser: piper, on the CPU. GPL-3: an extra, loaded only in the worker."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from media_core.errors import MediaError
from media_core.resampler import Resampler
from parley.conversation.errors import EngineError, EngineMissing, EngineTimeout
from parley.conversation.ports import SpeechChunk, SpeechRequest, WordTime
from parley.engines.breakable import run_breakable
from parley.engines.extras import how_to_install
from parley.engines.speech_level import level
from parley.engines.speech_program import RATES_HZ, clean

if TYPE_CHECKING:  # the package behind it is an extra
    from parley.engines.piper_voice import Breaker, Piece, Voice

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_BRACKET = re.compile(r"\[(?=\[)")


class PiperSynthesizer:
    """Synthesizer with piper; word times where the voice tells the length of its phonemes."""

    def __init__(self, folder: Path, *, threads: int = 1, at_once: int = 2, deadline_s: float = 10.0) -> None:
        """Prepare; a voice is loaded when it first speaks or by `warm_up()`.

        folder: voices, each NAME.onnx and NAME.onnx.json.   threads: of one sentence.   at_once: sentences at the same
        time; further ones wait.   deadline_s: for one sentence, from its turn on.
        Raises EngineMissing without the package or a voice.
        """
        self._folder = folder
        self._threads = threads
        self._deadline_s = deadline_s
        self._room = asyncio.Semaphore(at_once)
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="piper")
        self._loading: dict[str, asyncio.Future[Voice]] = {}
        names = sorted(path.stem for path in folder.glob("*.onnx") if _NAME.fullmatch(path.stem))
        self._languages = {name: _language(folder, name) for name in names}
        """Of the voices that are there at start: one that is still being copied later speaks for nobody."""
        if not names:
            raise EngineMissing(
                f"engines.piper.folder = {str(folder)!r} has no voice: put NAME.onnx and NAME.onnx.json there"
            )
        self._new_voice, self._new_breaker = _library()

    def voices(self) -> Sequence[str]:
        """Return the names of the voices: those in the folder at start, less those that did not warm up."""
        return list(self._languages)

    def voice(self, language: str, voice: str) -> str:
        """Return the voice's name; empty asks for the first one of the language. Raises EngineMissing."""
        known = self.voices()
        if voice and voice not in known:
            raise EngineMissing(f"piper has no voice {voice!r} in {self._folder}; it has: {', '.join(known) or 'none'}")
        for name in [voice] if voice else known:
            if voice or self._languages[name] == language:
                return name
        raise EngineMissing(
            f"piper has no voice for {language!r} in {self._folder}; it has: {', '.join(known) or 'none'}"
        )

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk]:
        """Yield the sentence's audio: one chunk, or more where piper sees several sentences. Raises EngineError.

        Closing or cancelling breaks the network's work off.
        """
        if request.rate_hz not in RATES_HZ:
            raise EngineError(f"speech is made at 8000 or 16000 Hz, not {request.rate_hz}")
        name = self.voice(request.language, request.voice)
        text = clean(_BRACKET.sub("[ ", request.text))  # what stands in double brackets piper takes for phonemes
        if not text:
            return
        async with self._room:
            voice = await self._loaded(name)
            cutter = _ChunkCutter(text, voice.rate_hz, request.rate_hz)
            async with aclosing(self._pieces(voice, text)) as pieces:
                async for piece in pieces:
                    if (chunk := cutter.chunk(piece)).pcm:
                        yield chunk

    async def warm_up(self) -> None:
        """Load the voices and let each say a word; one that cannot is left out. Raises EngineError when none can."""
        for name, language in list(self._languages.items()):
            try:
                async for _ in self.synthesize(SpeechRequest("Hello.", language, name, RATES_HZ[0])):
                    pass
            except EngineError as err:
                del self._languages[name]
                if not self._languages:
                    raise
                logger.warning("voice left out", extra={"engine": "piper", "voice": name, "problem": str(err)})

    def close(self) -> None:
        """End the threads when their work is done; not to be used afterwards."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _pieces(self, voice: Voice, text: str) -> AsyncGenerator[Piece]:
        breaker = self._new_breaker()
        spoken = voice.speak(text, breaker)
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self._deadline_s
        work = partial(_next, spoken)
        try:
            while piece := await run_breakable(self._pool, work, breaker.stop, ends_s - loop.time()):
                yield piece
        except TimeoutError as err:
            raise EngineTimeout(f"piper did not end the sentence within {self._deadline_s:g} s") from err
        finally:
            breaker.stop()

    async def _loaded(self, name: str) -> Voice:
        """Return a voice, loading it at its first use. Raises EngineMissing. Cancelling: it is loaded all the same."""
        if name not in self._loading:
            make = partial(self._new_voice, self._folder / f"{name}.onnx", self._threads)
            self._loading[name] = asyncio.ensure_future(asyncio.to_thread(make))
        loading = self._loading[name]
        try:
            return await asyncio.shield(loading)
        except Exception:
            if self._loading.get(name) is loading:
                del self._loading[name]
            raise


class _ChunkCutter:
    """Pieces at the voice's rate → chunks at the call's rate, level and without silence around them."""

    def __init__(self, text: str, from_hz: int, to_hz: int) -> None:
        try:
            self._resampler = Resampler(from_hz, to_hz)
        except MediaError as err:
            raise EngineMissing(f"a voice of {from_hz} Hz cannot be brought to {to_hz} Hz") from err
        self._words = text.split()
        self._spoken: list[tuple[int, int]] = []
        self._done = 0

    def chunk(self, piece: Piece) -> SpeechChunk:
        """Return the next chunk; without audio where the piece is silent. The last one has the word times."""
        resampler = self._resampler
        lag = round(resampler.delay_samples)
        whole = (resampler.process(piece.pcm) + resampler.flush())[2 * lag :]
        spoken = level(whole, resampler.to_hz)
        start, scale = self._done - spoken.cut_samples, resampler.to_hz / resampler.from_hz
        end = self._done + len(spoken.pcm) // 2
        for bounds in piece.words:
            first, last = (min(max(start + round(at * scale), self._done), end) for at in bounds)
            self._spoken.append((first, last))
        self._done = end
        # A number, for one, is several spoken words: then it is not known which word of the text is where.
        known = piece.ends and len(self._spoken) == len(self._words)
        times = (
            [WordTime(word, *bounds) for word, bounds in zip(self._words, self._spoken, strict=True)] if known else []
        )
        return SpeechChunk(spoken.pcm, tuple(times))


def _language(folder: Path, name: str) -> str:
    """Return the primary tag of a voice's language: by its description, else by its name."""
    try:
        described = json.loads((folder / f"{name}.onnx.json").read_text(encoding="utf-8"))
        code = str(described["language"]["code"])
    except (OSError, ValueError, KeyError, TypeError):
        code = name
    return re.split(r"[_-]", code)[0].lower()


def _library() -> tuple[type[Voice], type[Breaker]]:
    """Load piper. Raises EngineMissing."""
    try:
        from parley.engines.piper_voice import Breaker, Voice  # noqa: PLC0415 (an extra)
    except ImportError as err:
        raise EngineMissing(f"the package piper-tts is not there, or not whole: {how_to_install('piper')}") from err
    return Voice, Breaker


def _next(pieces: Iterator[Piece]) -> Piece | None:
    return next(pieces, None)
