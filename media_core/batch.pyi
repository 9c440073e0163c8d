"""Many frames at once: arrays of [streams, samples], one row per stream. The interpreter goes on meanwhile."""

import numpy as np
from numpy.typing import NDArray

def ulaw_encode_batch(pcm: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Encode linear PCM to G.711 µ-law; as `ulaw_encode()` row by row.

    pcm: int16 [streams, samples], contiguous. Returns uint8 of the same shape.
    Raises ValueError for arrays of another kind.
    """

def ulaw_decode_batch(payload: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Decode G.711 µ-law to linear PCM; as `ulaw_decode()` row by row.

    payload: uint8 [streams, samples], contiguous. Returns int16 of the same shape.
    Raises ValueError for arrays of another kind.
    """

def alaw_encode_batch(pcm: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Encode linear PCM to G.711 A-law; as `alaw_encode()` row by row.

    pcm: int16 [streams, samples], contiguous. Returns uint8 of the same shape.
    Raises ValueError for arrays of another kind.
    """

def alaw_decode_batch(payload: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Decode G.711 A-law to linear PCM; as `alaw_decode()` row by row.

    payload: uint8 [streams, samples], contiguous. Returns int16 of the same shape.
    Raises ValueError for arrays of another kind.
    """

def level_dbfs_batch(pcm: NDArray[np.int16]) -> NDArray[np.float32]:
    """Measure the RMS level of each row, as `level_dbfs()` does.

    pcm: int16 [streams, samples], contiguous. Returns float32 [streams]; -100.0 for silence and for no samples.
    Raises ValueError for arrays of another kind.
    """
