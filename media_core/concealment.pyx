"""Concealment of lost audio by repeating the last pitch period (in the manner of G.711 Appendix I).

Called by audio_fork with each frame that the jitter buffer gives, or for each that it does not.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.math cimport sqrt
from libc.stdint cimport int16_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove

from media_core.pcm cimport new_pcm, samples_in, saturate

from media_core.errors import FrameSizeError, RateError

cdef enum:
    # Voices are between 66 and 400 Hz: periods of 2.5 to 15 ms.
    SHORTEST_PERIOD_US = 2500
    LONGEST_PERIOD_MS = 15
    # Stretch whose likeness to the one a period before is measured; not shorter than the longest period.
    MATCH_MS = 15
    HOLD_MS = 10
    SILENT_MS = 60
    BLEND_MS = 5


@cython.final
cdef class Concealer:
    """Fill the gaps of one stream; adds no delay to what is not lost."""

    def __cinit__(self, int rate_hz=8000):
        """Raises RateError if rate_hz is not 8000 or 16000."""
        if rate_hz not in (8000, 16000):
            raise RateError(f"concealment at {rate_hz} Hz is not supported")
        self._rate_hz = rate_hz
        self._history_samples = rate_hz * (LONGEST_PERIOD_MS + MATCH_MS) // 1000
        self._history = <int16_t *>calloc(self._history_samples, sizeof(int16_t))
        if self._history is NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self._history)

    def good(self, bytes pcm not None):
        """Take the next audio received and return it; after a gap its first 5 ms are cross-faded.

        pcm: int16 little-endian mono. Returns the same number of samples.
        Raises FrameSizeError if pcm is not whole samples.
        """
        cdef Py_ssize_t samples = samples_in(pcm)
        cdef bytes blended
        if self._period == 0 or samples == 0:
            self.remember(<const int16_t *>PyBytes_AS_STRING(pcm), samples)
            return pcm
        blended = new_pcm(samples)
        memcpy(PyBytes_AS_STRING(blended), PyBytes_AS_STRING(pcm), samples * sizeof(int16_t))
        self.blend(<int16_t *>PyBytes_AS_STRING(blended), samples)
        self.remember(<const int16_t *>PyBytes_AS_STRING(blended), samples)
        return blended

    def lost(self, Py_ssize_t samples):
        """Return audio for a gap: the last pitch period repeated, from 10 ms on fading, silent from 60 ms on.

        Raises FrameSizeError if samples is negative.
        """
        if samples < 0:
            raise FrameSizeError(f"cannot make up {samples} samples")
        cdef bytes pcm = new_pcm(samples)
        cdef int16_t *out = <int16_t *>PyBytes_AS_STRING(pcm)
        cdef Py_ssize_t i
        if self._period == 0 and samples > 0:
            self._period = self.find_period()
            self._gap_samples = 0
        for i in range(samples):
            out[i] = self.made_up()
        self.lost_samples += samples
        return pcm

    cdef void remember(self, const int16_t *pcm, Py_ssize_t samples) noexcept nogil:
        """Keep the newest audio; ends a gap."""
        cdef Py_ssize_t kept = max(0, self._history_samples - samples)
        cdef Py_ssize_t newest = self._history_samples - kept
        if samples > 0:
            memmove(self._history, self._history + newest, kept * sizeof(int16_t))
            memcpy(self._history + kept, pcm + (samples - newest), newest * sizeof(int16_t))
            self._period = 0

    cdef int find_period(self) noexcept nogil:
        """Return the lag, in samples, at which the newest audio is most like what came before it."""
        cdef int longest = self._rate_hz * LONGEST_PERIOD_MS // 1000
        cdef int lag = self._rate_hz * SHORTEST_PERIOD_US // 1000000
        cdef int best = longest
        cdef double best_likeness = 0.0
        cdef double found
        while lag <= longest:
            found = self.likeness(lag)
            if found > best_likeness:
                best_likeness = found
                best = lag
            lag += 1
        return best

    cdef double likeness(self, int lag) noexcept nogil:
        """Return the cross-correlation of the newest audio with that of `lag` samples before, by the latter's size."""
        cdef int length = self._rate_hz * MATCH_MS // 1000
        cdef const int16_t *newest = self._history + (self._history_samples - length)
        cdef const int16_t *earlier = newest - lag
        cdef long long product = 0
        cdef long long energy = 0
        cdef int i
        for i in range(length):
            product += <int>newest[i] * <int>earlier[i]
            energy += <int>earlier[i] * <int>earlier[i]
        return product / sqrt(<double>energy) if energy > 0 else 0.0

    cdef int16_t made_up(self) noexcept nogil:
        """Return the gap's next sample.

        The last quarter of the period is blended with the one before the period, so that its end meets its
        beginning without a click.
        """
        cdef int offset = <int>(self._gap_samples % self._period)
        cdef int tail = self._period >> 2
        cdef int into_tail = offset - (self._period - tail) + 1
        cdef int place = self._history_samples - self._period + offset
        cdef double hold = self._rate_hz * HOLD_MS / 1000.0
        cdef double silent = self._rate_hz * SILENT_MS / 1000.0
        cdef double value = self._history[place]
        cdef double gain = 1.0
        if into_tail > 0:
            value += (self._history[place - self._period] - value) * into_tail / (tail + 1)
        if self._gap_samples >= hold:
            gain = max(0.0, (silent - self._gap_samples) / (silent - hold))
        self._gap_samples += 1
        return saturate(gain * value)

    cdef void blend(self, int16_t *pcm, Py_ssize_t samples) noexcept nogil:
        """Fade from what would have been made up to what has come."""
        cdef Py_ssize_t length = min(samples, <Py_ssize_t>(self._rate_hz * BLEND_MS // 1000))
        cdef Py_ssize_t i
        cdef double made_up
        for i in range(length):
            made_up = self.made_up()
            pcm[i] = saturate(made_up + (pcm[i] - made_up) * (i + 1) / (length + 1))
