"""The caller's side of a call's audio: frames of PCM become blocks and speech events."""

from __future__ import annotations

from audio_fork.streams import DroppingStream
from media_core.events import AudioBlock, SpeechStarted, SpeechStopped
from media_core.vad import EnergyVad

BLOCK_FRAMES = 3
"""A block is 60 ms: rare enough for Python, short enough for recognition."""
MAX_BLOCKS = 3
"""Blocks kept for a reader that lags: 180 ms, then the oldest goes."""


class CallerVoice:
    """Find speech in the caller's audio and gather it into blocks; positions are without holes from 0 on."""

    def __init__(self, rate_hz: int) -> None:
        """Begin at position 0."""
        self._vad = EnergyVad(rate_hz)
        self._frames: list[bytes] = []
        self._block_position = 0
        self.blocks: DroppingStream[AudioBlock] = DroppingStream(MAX_BLOCKS)

    def hear(self, pcm: bytes) -> list[SpeechStarted | SpeechStopped]:
        """Take the next 20 ms and return the edges of speech found."""
        self._frames.append(pcm)
        if len(self._frames) == BLOCK_FRAMES:
            block = AudioBlock(self._block_position, b"".join(self._frames))
            self._block_position += len(block.pcm) // 2
            self._frames.clear()
            self.blocks.put(block)
        return [
            SpeechStarted(edge.position) if edge.started else SpeechStopped(edge.position)
            for edge in self._vad.feed(pcm)
        ]
