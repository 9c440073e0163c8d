"""Nothing leaks: objects that own memory give it back, and calls keep no reference to what they were given."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

import media_core
from media_core import (
    BeepDetector,
    Concealer,
    DtmfDetector,
    EnergyVad,
    FrameSizeError,
    G722Decoder,
    G722Encoder,
    JitterBuffer,
    PacketError,
    PcmRing,
    Resampler,
    ToneDetector,
)
from tests.media_core.keys import Press, dialled

STATM = Path("/proc/self/statm")
PAGE_OCTETS = 4096
PCM = bytes(range(256)) * 5
"""640 samples; no constant of the interpreter."""
KEYS = dialled([Press("1"), Press("2")])


def resident_octets() -> int:
    """Measure the memory of this process, allocations by C included."""
    return int(STATM.read_text().split()[1]) * PAGE_OCTETS


def use_jitter_buffer() -> None:
    buffer = JitterBuffer()
    buffer.put(1, 160, PCM, 0)
    buffer.get()


def use_resampler() -> None:
    resampler = Resampler(8000, 16000)
    resampler.process(PCM)
    resampler.flush()


def use_ring() -> None:
    ring = PcmRing(16000)
    ring.write(PCM)
    ring.read(100)


def use_concealer() -> None:
    concealer = Concealer(16000)
    concealer.good(PCM)
    concealer.lost(100)
    concealer.good(PCM)


def use_detectors() -> None:
    EnergyVad(8000).feed(PCM)
    ToneDetector(8000, (440.0, 1000.0)).feed(PCM)
    DtmfDetector(8000).feed(KEYS)
    BeepDetector(8000).feed(KEYS)


def use_codecs() -> None:
    G722Decoder().decode(G722Encoder().encode(PCM))
    media_core.ulaw_decode(media_core.ulaw_encode(PCM))
    media_core.alaw_decode(media_core.alaw_encode(PCM))
    media_core.interleave(PCM, media_core.fade_out(PCM, 40))


def use_packets() -> None:
    media_core.parse_rtp(media_core.build_rtp(0, 1, 2, 3, PCM))
    media_core.parse_telephone_event(media_core.build_telephone_event("5", 160))
    with pytest.raises(PacketError):
        media_core.parse_rtp(b"\x80")
    with pytest.raises(FrameSizeError):
        media_core.ulaw_encode(b"\x80")


USES = [
    use_jitter_buffer,
    use_resampler,
    use_ring,
    use_concealer,
    use_detectors,
    use_codecs,
    use_packets,
]


@pytest.mark.parametrize("use", USES)
def test_memory_stays_the_same_however_often_it_is_used(use: Callable[[], None]) -> None:
    if not STATM.exists():
        pytest.skip("no /proc: memory of C cannot be measured here")
    for _ in range(200):
        use()
    before = resident_octets()
    for _ in range(2000):
        use()
    # The least of these objects that own memory owns 1 KiB: 2,000 leaks of it would be 2 MiB.
    assert resident_octets() - before < 1 << 20


@pytest.mark.parametrize("use", USES)
def test_python_objects_are_released(use: Callable[[], None]) -> None:
    use()
    gc.collect()
    references = sys.getrefcount(PCM)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(500):
            use()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    assert sys.getrefcount(PCM) == references


@pytest.mark.parametrize("make", [lambda: PcmRing(0), lambda: Resampler(1, 2), lambda: JitterBuffer(rate_hz=1)])
def test_what_is_refused_at_its_making_is_taken_down_again(make: Callable[[], object]) -> None:
    for _ in range(1000):
        with pytest.raises(media_core.MediaError):
            make()


@pytest.mark.parametrize(
    "made",
    [
        PcmRing(10),
        Resampler(8000, 16000),
        JitterBuffer(),
        Concealer(),
        EnergyVad(8000),
        G722Encoder(),
        G722Decoder(),
        DtmfDetector(8000),
        BeepDetector(8000),
        ToneDetector(8000, (440.0,)),
    ],
)
def test_objects_that_own_memory_refuse_to_be_copied_by_pickle(made: object) -> None:
    with pytest.raises(TypeError):
        made.__reduce__()
