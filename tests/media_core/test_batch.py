"""Many frames at once give what one frame at a time gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import media_core
from media_core import batch

ENCODERS = ["ulaw_encode", "alaw_encode"]
DECODERS = ["ulaw_decode", "alaw_decode"]
PCM = np.random.default_rng(1).integers(-32768, 32768, (7, 163), np.int16)
PAYLOAD = np.arange(7 * 163, dtype=np.uint32).astype(np.uint8).reshape(7, 163)


def batch_of(name: str) -> Callable[[Any], Any]:
    """Return the function for many frames."""
    function: Callable[[Any], Any] = getattr(batch, f"{name}_batch")
    return function


@pytest.mark.parametrize("name", ENCODERS)
def test_rows_are_encoded_as_frames_are(name: str) -> None:
    encoded = batch_of(name)(PCM)
    assert encoded.dtype == np.uint8
    assert [row.tobytes() for row in encoded] == [getattr(media_core, name)(row.tobytes()) for row in PCM]


@pytest.mark.parametrize("name", DECODERS)
def test_rows_are_decoded_as_frames_are(name: str) -> None:
    decoded = batch_of(name)(PAYLOAD)
    assert decoded.dtype == np.int16
    assert [row.tobytes() for row in decoded] == [getattr(media_core, name)(row.tobytes()) for row in PAYLOAD]


def test_levels_of_rows_are_those_of_frames() -> None:
    pcm = np.concatenate([PCM, np.zeros((1, 163), np.int16)])
    levels = batch.level_dbfs_batch(pcm)
    assert levels == pytest.approx([media_core.level_dbfs(row.tobytes()) for row in pcm], abs=1e-4)


@pytest.mark.parametrize("shape", [(0, 160), (3, 0), (0, 0)])
def test_nothing_in_gives_nothing_out(shape: tuple[int, int]) -> None:
    for name in ENCODERS:
        assert batch_of(name)(np.zeros(shape, np.int16)).shape == shape
    for name in DECODERS:
        assert batch_of(name)(np.zeros(shape, np.uint8)).shape == shape
    assert batch.level_dbfs_batch(np.zeros(shape, np.int16)).tolist() == [-100.0] * shape[0]


@pytest.mark.parametrize("name", [*ENCODERS, "level_dbfs"])
@pytest.mark.parametrize("wrong", [PCM[0], PCM[:, ::2], PCM.astype(np.int32), PCM.astype(np.uint16), b"12"])
def test_arrays_of_another_kind_are_refused(name: str, wrong: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        batch_of(name)(wrong)


def test_arrays_that_may_not_be_written_are_read() -> None:
    pcm = np.frombuffer(bytes(640), np.int16).reshape(2, 160)
    assert not pcm.flags.writeable
    assert batch.ulaw_encode_batch(pcm).tobytes() == b"\xff" * 320
