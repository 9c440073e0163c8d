"""A command-line synthesiser as a Synthesizer: one process per sentence, text in and WAV out by private files."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import unicodedata
import wave
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from media_core.resampler import Resampler
from parley.conversation.errors import EngineError, EngineMissing, EngineTimeout
from parley.conversation.ports import SpeechChunk, SpeechRequest
from parley.engines.speech_level import levelled

logger = logging.getLogger(__name__)

MAX_CHARACTERS = 1000
RATES_HZ = (8000, 16000)


class SpeechProgram(ABC):
    """What the command-line synthesisers share.

    Text never reaches a command line: it goes in by a file, so it cannot be taken for an option or a shell word.
    """

    program: str
    """Its name on PATH."""
    package: str
    """The Debian package that has it."""

    def __init__(self, *, deadline_s: float = 10.0, at_once: int = 4) -> None:
        """Prepare.   deadline_s: for one sentence.   at_once: processes at the same time; further sentences wait.

        Raises EngineMissing if the program is not installed.
        """
        path = shutil.which(self.program)
        if path is None:
            raise EngineMissing(f"{self.program} is not on PATH: apt-get install {self.package}")
        self._path = path
        self._deadline_s = deadline_s
        self._room = asyncio.Semaphore(at_once)

    @abstractmethod
    def voice(self, language: str, voice: str) -> str:
        """Return the program's name for a voice; empty asks for the language's default. Raises EngineMissing."""

    @abstractmethod
    def arguments(self, voice: str, text: Path, speech: Path) -> Sequence[str]:
        """Return the arguments that make it read the file `text` and write the WAV file `speech`."""

    def encode(self, text: str) -> bytes:
        """Return clean text as the program wants it."""
        return text.encode()

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk]:
        """Yield the sentence's audio in one chunk; nothing if there is nothing to say. Raises EngineError."""
        if request.rate_hz not in RATES_HZ:
            raise EngineError(f"speech is made at 8000 or 16000 Hz, not {request.rate_hz}")
        voice = self.voice(request.language, request.voice)
        text = clean(request.text)
        if not text:
            return
        async with self._room:
            try:
                async with asyncio.timeout(self._deadline_s):
                    rate_hz, pcm = await self._speak(voice, text)
            except TimeoutError as err:
                raise EngineTimeout(f"{self.program} did not end within {self._deadline_s} s") from err
        spoken = levelled(_resampled(pcm, rate_hz, request.rate_hz), request.rate_hz)
        if spoken:
            yield SpeechChunk(spoken)

    async def _speak(self, voice: str, text: str) -> tuple[int, bytes]:
        with tempfile.TemporaryDirectory(prefix="parley-speech-") as folder:
            source, speech = Path(folder, "text"), Path(folder, "speech.wav")
            await asyncio.to_thread(source.write_bytes, self.encode(text))
            await self._run(self.arguments(voice, source, speech))
            return _read_wav(speech, self.program)

    async def _run(self, arguments: Sequence[str]) -> None:
        """Run the program to its end. Cancelling: it is killed."""
        nowhere = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            self._path, *arguments, stdin=nowhere, stdout=nowhere, stderr=nowhere
        )
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if status != 0:
            raise EngineError(f"{self.program} failed with status {status}")


def clean(text: str) -> str:
    """Return the text with control characters and line breaks as spaces. Raises EngineError if it is too long."""
    spaced = "".join(" " if unicodedata.category(char)[0] == "C" else char for char in text)
    sentence = " ".join(spaced.split())
    if len(sentence) > MAX_CHARACTERS:
        raise EngineError(f"a sentence has at most {MAX_CHARACTERS} characters, not {len(sentence)}")
    return sentence


def _read_wav(path: Path, program: str) -> tuple[int, bytes]:
    """Return rate and PCM."""
    try:
        with wave.open(str(path)) as file:
            if file.getnchannels() != 1 or file.getsampwidth() != 2:
                raise EngineError(f"{program} made something else than 16-bit mono")
            return file.getframerate(), file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as err:
        raise EngineError(f"{program} made no WAV file") from err


def _resampled(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    resampler = Resampler(from_hz, to_hz)
    return resampler.process(pcm) + resampler.flush()
