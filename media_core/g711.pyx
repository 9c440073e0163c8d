# distutils: sources = media_core/native/g711.c
"""G.711: µ-law and A-law companding of 8 kHz telephone audio.

Called by audio_fork where audio is sent ahead over a WebSocket; many frames at once: batch.pyx.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int16_t, uint8_t

from media_core.pcm cimport new_pcm, samples_in


def ulaw_encode(bytes pcm not None):
    """Encode linear PCM to G.711 µ-law (ITU-T G.711 table 2; 14 significant bits, as audioop does).

    pcm: int16 little-endian mono. Returns one octet per sample; empty for empty.
    Raises FrameSizeError if pcm is not whole samples.
    """
    cdef Py_ssize_t samples = samples_in(pcm)
    cdef bytes payload = PyBytes_FromStringAndSize(NULL, samples)
    pm_ulaw_encode(<const int16_t *>PyBytes_AS_STRING(pcm), <uint8_t *>PyBytes_AS_STRING(payload), samples)
    return payload


def ulaw_decode(bytes payload not None):
    """Decode G.711 µ-law to linear PCM, ±32124.

    payload: one octet per sample. Returns int16 little-endian mono; empty for empty.
    """
    cdef Py_ssize_t samples = PyBytes_GET_SIZE(payload)
    cdef bytes pcm = new_pcm(samples)
    pm_ulaw_decode(<const uint8_t *>PyBytes_AS_STRING(payload), <int16_t *>PyBytes_AS_STRING(pcm), samples)
    return pcm


def alaw_encode(bytes pcm not None):
    """Encode linear PCM to G.711 A-law (ITU-T G.711 table 1; 13 significant bits, as audioop does).

    pcm: int16 little-endian mono. Returns one octet per sample; empty for empty.
    Raises FrameSizeError if pcm is not whole samples.
    """
    cdef Py_ssize_t samples = samples_in(pcm)
    cdef bytes payload = PyBytes_FromStringAndSize(NULL, samples)
    pm_alaw_encode(<const int16_t *>PyBytes_AS_STRING(pcm), <uint8_t *>PyBytes_AS_STRING(payload), samples)
    return payload


def alaw_decode(bytes payload not None):
    """Decode G.711 A-law to linear PCM, ±32256.

    payload: one octet per sample. Returns int16 little-endian mono; empty for empty.
    """
    cdef Py_ssize_t samples = PyBytes_GET_SIZE(payload)
    cdef bytes pcm = new_pcm(samples)
    pm_alaw_decode(<const uint8_t *>PyBytes_AS_STRING(payload), <int16_t *>PyBytes_AS_STRING(pcm), samples)
    return pcm
