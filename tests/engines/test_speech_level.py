"""Level and pauses of synthetic speech."""

from __future__ import annotations

import numpy as np
import pytest

from media_core.pcm import level_dbfs
from parley.engines.speech_level import levelled

RATE_HZ = 8000


def tone(amplitude: float, seconds: float = 1.0) -> bytes:
    time = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2 * np.pi * 300 * time)).astype("<i2").tobytes()


@pytest.mark.parametrize("amplitude", [300, 3000, 30000])
def test_quiet_and_loud_speech_come_out_equally_loud(amplitude: float) -> None:
    sounding = levelled(tone(amplitude), RATE_HZ)[: RATE_HZ * 2]
    assert level_dbfs(sounding) == pytest.approx(-19, abs=0.2)


def test_pauses_do_not_count_for_the_level() -> None:
    pcm = tone(3000, 0.5) + bytes(RATE_HZ * 4) + tone(3000, 0.5)
    assert level_dbfs(levelled(pcm, RATE_HZ)[: RATE_HZ // 2]) == pytest.approx(-19, abs=0.2)


def test_silence_around_speech_is_cut() -> None:
    pcm = bytes(RATE_HZ) + tone(3000, 1.0) + bytes(RATE_HZ)
    assert len(levelled(pcm, RATE_HZ)) / 2 / RATE_HZ == pytest.approx(1.13, abs=0.02)


def test_peaks_never_clip() -> None:
    click = bytearray(tone(400))
    click[8000:8002] = (20000).to_bytes(2, "little")
    assert max(abs(sample) for sample in memoryview(levelled(bytes(click), RATE_HZ)).cast("h")) <= 32000


@pytest.mark.parametrize("pcm", [b"", b"\0\0", bytes(16000)])
def test_no_sound_gives_nothing(pcm: bytes) -> None:
    assert levelled(pcm, RATE_HZ) == b""
