# distutils: sources = media_core/native/g722.c
"""G.722: wideband (16 kHz) audio in 64 kbit/s; over RTP its clock is 8000 Hz (RFC 3551 §4.5.2).

For one stream by hand; the media engine has the same inside.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int16_t, uint8_t

from media_core.pcm cimport new_pcm, samples_in

from media_core.errors import FrameSizeError


@cython.final
cdef class G722Encoder:
    """Encode one stream; keeps the adaptive state between calls."""

    def __cinit__(self):
        pm_g722_init(&self._coder)

    def encode(self, bytes pcm not None):
        """Encode 16 kHz PCM to G.722, mode 1 (64 kbit/s).

        pcm: int16 little-endian mono, an even number of samples. Returns one octet per two samples.
        Raises FrameSizeError if the samples are not whole pairs.
        """
        cdef Py_ssize_t samples = samples_in(pcm)
        if samples & 1:
            raise FrameSizeError(f"{samples} samples are no whole pairs")
        cdef Py_ssize_t octets = samples >> 1
        cdef bytes payload = PyBytes_FromStringAndSize(NULL, octets)
        pm_g722_encode(
            &self._coder, <const int16_t *>PyBytes_AS_STRING(pcm), <uint8_t *>PyBytes_AS_STRING(payload), octets
        )
        return payload


@cython.final
cdef class G722Decoder:
    """Decode one stream; keeps the adaptive state between calls."""

    def __cinit__(self):
        pm_g722_init(&self._coder)

    def decode(self, bytes payload not None):
        """Decode G.722, mode 1 (64 kbit/s), to 16 kHz PCM.

        Returns int16 little-endian mono, two samples per octet; empty for empty.
        """
        cdef Py_ssize_t octets = PyBytes_GET_SIZE(payload)
        cdef bytes pcm = new_pcm(2 * octets)
        pm_g722_decode(
            &self._coder, <const uint8_t *>PyBytes_AS_STRING(payload), <int16_t *>PyBytes_AS_STRING(pcm), octets
        )
        return pcm
