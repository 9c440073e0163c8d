"""How much of an utterance is sound, and how long it has been quiet; counts samples, knows no clock."""

from __future__ import annotations

import numpy as np

FRAME_MS = 20
GATE_DBFS = -50.0
"""What is quieter than this is no speech on a telephone line."""
BELOW_PEAK_DB = 30.0
"""What is so much quieter than the loudest frame is background. A noisier line never shows a pause, and loses nothing
but the head start that a pause gives."""
FLOOR_DBFS = -100.0


class SoundMeter:
    """Measures one utterance."""

    def __init__(self, rate_hz: int) -> None:
        self._width = rate_hz * FRAME_MS // 1000
        self._rest = b""
        self._levels: list[float] = []
        self._gate = GATE_DBFS
        self._sounding = 0
        """Frames above the gate."""
        self._sound_end = 0
        """Behind the last of them."""
        self.peak_dbfs = FLOOR_DBFS
        """RMS level of the loudest frame."""

    def add(self, pcm: bytes) -> None:
        """Take more audio, int16 little-endian mono."""
        pcm = self._rest + pcm
        whole = len(pcm) // (2 * self._width) * 2 * self._width
        self._rest = pcm[whole:]
        if not whole:
            return
        frames = np.frombuffer(pcm[:whole], "<i2").reshape(-1, self._width).astype(np.float64)
        rms = np.sqrt((frames**2).mean(axis=1)) / 32768
        levels = (20 * np.log10(np.maximum(rms, 10 ** (FLOOR_DBFS / 20)))).tolist()
        first = len(self._levels)
        self._levels += levels
        self.peak_dbfs = max(self.peak_dbfs, *levels)
        gate = max(GATE_DBFS, self.peak_dbfs - BELOW_PEAK_DB)
        if gate != self._gate:  # what counted as sound so far may be background beside what came now
            self._gate, self._sounding, self._sound_end, first = gate, 0, 0, 0
        for number, level in enumerate(self._levels[first:], first):
            if level > gate:
                self._sounding += 1
                self._sound_end = number + 1

    @property
    def sound_ms(self) -> int:
        """How much sound there is, pauses left out."""
        return self._sounding * FRAME_MS

    @property
    def last_sound_ms(self) -> int:
        """Where the last sound ends, from the start of the audio; 0 without any."""
        return self._sound_end * FRAME_MS

    @property
    def pause_ms(self) -> int:
        """How long it has been quiet up to now."""
        return (len(self._levels) - self._sound_end) * FRAME_MS
