# distutils: sources = media_core/native/g711.c media_core/native/pcm.c
"""Many frames at once: arrays of [streams, samples], one row per stream. The interpreter goes on meanwhile.

For whoever handles many calls in one step: load generators, recordings, benchmarks.
"""

from libc.stdint cimport int16_t, uint8_t

import numpy as np

from media_core.g711 cimport pm_alaw_decode, pm_alaw_encode, pm_ulaw_decode, pm_ulaw_encode
from media_core.pcm cimport pm_level_batch


ctypedef void (*Encode)(const int16_t *, uint8_t *, size_t) noexcept nogil
ctypedef void (*Decode)(const uint8_t *, int16_t *, size_t) noexcept nogil


cdef encoded(Encode encode, const int16_t[:, ::1] pcm):
    payload = np.empty((pcm.shape[0], pcm.shape[1]), np.uint8)
    cdef uint8_t[:, ::1] out = payload
    cdef size_t samples = pcm.shape[0] * pcm.shape[1]
    if samples > 0:
        with nogil:
            encode(&pcm[0, 0], &out[0, 0], samples)
    return payload


cdef decoded(Decode decode, const uint8_t[:, ::1] payload):
    pcm = np.empty((payload.shape[0], payload.shape[1]), np.int16)
    cdef int16_t[:, ::1] out = pcm
    cdef size_t samples = payload.shape[0] * payload.shape[1]
    if samples > 0:
        with nogil:
            decode(&payload[0, 0], &out[0, 0], samples)
    return pcm


def ulaw_encode_batch(const int16_t[:, ::1] pcm not None):
    """Encode linear PCM to G.711 µ-law; as `ulaw_encode()` row by row.

    pcm: int16 [streams, samples], contiguous. Returns uint8 of the same shape.
    Raises ValueError for arrays of another kind.
    """
    return encoded(pm_ulaw_encode, pcm)


def ulaw_decode_batch(const uint8_t[:, ::1] payload not None):
    """Decode G.711 µ-law to linear PCM; as `ulaw_decode()` row by row.

    payload: uint8 [streams, samples], contiguous. Returns int16 of the same shape.
    Raises ValueError for arrays of another kind.
    """
    return decoded(pm_ulaw_decode, payload)


def alaw_encode_batch(const int16_t[:, ::1] pcm not None):
    """Encode linear PCM to G.711 A-law; as `alaw_encode()` row by row.

    pcm: int16 [streams, samples], contiguous. Returns uint8 of the same shape.
    Raises ValueError for arrays of another kind.
    """
    return encoded(pm_alaw_encode, pcm)


def alaw_decode_batch(const uint8_t[:, ::1] payload not None):
    """Decode G.711 A-law to linear PCM; as `alaw_decode()` row by row.

    payload: uint8 [streams, samples], contiguous. Returns int16 of the same shape.
    Raises ValueError for arrays of another kind.
    """
    return decoded(pm_alaw_decode, payload)


def level_dbfs_batch(const int16_t[:, ::1] pcm not None):
    """Measure the RMS level of each row, as `level_dbfs()` does.

    pcm: int16 [streams, samples], contiguous. Returns float32 [streams]; -100.0 for silence and for no samples.
    Raises ValueError for arrays of another kind.
    """
    levels = np.empty(pcm.shape[0], np.float32)
    cdef float[::1] out = levels
    if pcm.shape[0] > 0 and pcm.shape[1] > 0:
        with nogil:
            pm_level_batch(&pcm[0, 0], pcm.shape[0], pcm.shape[1], &out[0])
    else:
        levels.fill(-100.0)
    return levels
