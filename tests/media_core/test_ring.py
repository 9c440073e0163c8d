"""The PCM ring against a plain bytes object."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_core import FrameSizeError, PcmRing


def numbered(first: int, samples: int) -> bytes:
    """Make PCM that counts up."""
    return b"".join((value % 2**16).to_bytes(2, "little") for value in range(first, first + samples))


@given(st.integers(1, 40), st.lists(st.tuples(st.sampled_from(["write", "read", "clear"]), st.integers(0, 60))))
def test_any_use_gives_what_a_bounded_queue_gives(capacity: int, steps: list[tuple[str, int]]) -> None:
    ring, model, written = PcmRing(capacity), b"", 0
    for step, samples in steps:
        if step == "write":
            held = model + numbered(written, samples)
            model = held[-2 * capacity :]
            assert ring.write(numbered(written, samples)) == (len(held) - len(model)) // 2
            written += samples
        elif step == "read":
            assert ring.read(samples) == model[: 2 * samples]
            model = model[2 * samples :]
        else:
            assert ring.clear() == len(model) // 2
            model = b""
        assert len(ring) == len(model) // 2
        assert ring.capacity_samples == capacity


def test_the_oldest_audio_is_dropped_and_counted() -> None:
    ring = PcmRing(4)
    assert ring.write(numbered(0, 3)) == 0
    assert ring.write(numbered(3, 3)) == 2
    assert ring.read(10) == numbered(2, 4)


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_ring_that_holds_nothing_is_refused(capacity: int) -> None:
    with pytest.raises(FrameSizeError):
        PcmRing(capacity)


def test_half_a_sample_and_less_than_nothing_are_refused() -> None:
    ring = PcmRing(4)
    with pytest.raises(FrameSizeError):
        ring.write(b"\x00")
    with pytest.raises(FrameSizeError):
        ring.read(-1)
    assert len(ring) == 0
