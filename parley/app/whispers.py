"""Summaries for queue agents' ears: WAV files that the PBX plays before it connects the caller.

The dialplan gets the path in PARLEY_WHISPER (dialplans/asterisk/extensions_parley.conf).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
import wave
from contextlib import suppress
from pathlib import Path

from parley.conversation.errors import EngineError
from parley.conversation.ports import SpeechRequest, Synthesizer
from parley.conversation.text.normaliser import written_out

logger = logging.getLogger(__name__)

KEEP_S = 3600.0
"""A caller may wait in a queue for long; afterwards the file is removed."""
SYNTHESIS_DEADLINE_S = 3.0
RATE_HZ = 8000


class Whispers:
    """The folder of summaries. The PBX's user must be able to read it (docs/install-asterisk.md)."""

    def __init__(self, folder: Path, synthesizer: Synthesizer) -> None:
        """folder: made when the first summary is written."""
        self._folder = folder
        self._synthesizer = synthesizer

    async def write(self, call_id: str, text: str, language: str, voice: str, engine: str) -> str:
        """Speak a summary into a file; return its absolute path without extension, as Asterisk wants it.

        Returns an empty string when it could not be made: the transfer goes on without it.
        """
        request = SpeechRequest(
            text=written_out(text, language).said, language=language, voice=voice, rate_hz=RATE_HZ, engine=engine
        )
        try:
            async with asyncio.timeout(SYNTHESIS_DEADLINE_S):
                pcm = b"".join([chunk.pcm async for chunk in self._synthesizer.synthesize(request)])
            path = self._folder / f"{call_id}.wav"
            await asyncio.to_thread(self._store, path, pcm)
        except (EngineError, OSError, TimeoutError) as err:
            logger.warning("no whispered summary for this transfer", extra={"problem": type(err).__name__})
            return ""
        return str(path.with_suffix("").absolute())

    def _store(self, path: Path, pcm: bytes) -> None:
        if not self._folder.exists():
            self._folder.mkdir(parents=True)
            # The PBX's group reads them; where the admin made the folder, its owner and mode stand.
            self._folder.chmod(0o2750)
        self.remove_old()
        partial = path.with_suffix(".part")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        os.fchmod(descriptor, 0o640)
        with os.fdopen(descriptor, "wb") as file, wave.open(file, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE_HZ)
            out.writeframes(pcm)
        partial.rename(path)

    def remove_old(self) -> None:
        """Remove the summaries that nobody will play any more; also done with every new one."""
        oldest = time.time() - KEEP_S
        for file in self._folder.glob("*.*"):
            # Another transfer may remove it at the same moment.
            with suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()
