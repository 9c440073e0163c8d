# distutils: sources = media_core/native/plc.c media_core/native/pcm.c
"""Concealment of lost audio by repeating the last pitch period (in the manner of G.711 Appendix I).

For one stream by hand, with each frame that the jitter buffer gives, or for each that it does not; the media engine has
the same inside.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int16_t
from libc.string cimport memcpy

from media_core.pcm cimport new_pcm, samples_in

from media_core.errors import FrameSizeError, RateError


@cython.final
cdef class Concealer:
    """Fill the gaps of one stream; adds no delay to what is not lost."""

    def __cinit__(self, int rate_hz=8000):
        """Raises RateError if rate_hz is not 8000 or 16000."""
        if not pm_plc_init(&self._concealer, rate_hz, self._history):
            raise RateError(f"concealment at {rate_hz} Hz is not supported")

    @property
    def lost_samples(self):
        """Samples made up by `lost()` since the start."""
        return self._concealer.lost_samples

    def good(self, bytes pcm not None):
        """Take the next audio received and return it; after a gap its first 5 ms are cross-faded.

        pcm: int16 little-endian mono. Returns the same number of samples.
        Raises FrameSizeError if pcm is not whole samples.
        """
        cdef Py_ssize_t samples = samples_in(pcm)
        cdef bytes blended = pcm
        if self._concealer.period != 0 and samples > 0:
            blended = new_pcm(samples)
            memcpy(PyBytes_AS_STRING(blended), PyBytes_AS_STRING(pcm), samples * sizeof(int16_t))
        # Outside a gap nothing is written: the bytes given may be returned as they are.
        pm_plc_good(&self._concealer, <int16_t *>PyBytes_AS_STRING(blended), samples)
        return blended

    def lost(self, Py_ssize_t samples):
        """Return audio for a gap: the last pitch period repeated, from 10 ms on fading, silent from 60 ms on.

        Raises FrameSizeError if samples is negative.
        """
        if samples < 0:
            raise FrameSizeError(f"cannot make up {samples} samples")
        cdef bytes pcm = new_pcm(samples)
        pm_plc_lost(&self._concealer, <int16_t *>PyBytes_AS_STRING(pcm), samples)
        return pcm
