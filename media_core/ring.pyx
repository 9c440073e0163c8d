"""Bounded queue of PCM that drops the oldest audio rather than grow late.

For one stream by hand, between the clock of the media and its readers; the media engine has rings of its own.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int16_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from media_core.pcm cimport new_pcm, samples_in

from media_core.errors import FrameSizeError


@cython.final
cdef class PcmRing:
    """Hold at most `capacity_samples` of mono PCM. For one thread."""

    def __cinit__(self, Py_ssize_t capacity_samples):
        """Raises FrameSizeError if capacity_samples is less than 1."""
        if capacity_samples < 1:
            raise FrameSizeError(f"a ring of {capacity_samples} samples cannot hold any")
        self._pcm = <int16_t *>malloc(<size_t>capacity_samples * sizeof(int16_t))
        if self._pcm is NULL:
            raise MemoryError
        self._capacity = capacity_samples
        self._start = 0
        self._held = 0

    def __dealloc__(self):
        free(self._pcm)

    def __len__(self):
        return self._held

    @property
    def capacity_samples(self):
        return self._capacity

    def write(self, bytes pcm not None):
        """Append audio and return how many samples were dropped, the oldest first, to make room.

        Raises FrameSizeError if pcm is not whole samples.
        """
        cdef Py_ssize_t samples = samples_in(pcm)
        cdef Py_ssize_t dropped = max(0, self._held + samples - self._capacity)
        cdef Py_ssize_t skipped = max(0, samples - self._capacity)
        self.drop(dropped - skipped)
        self.append(<const int16_t *>PyBytes_AS_STRING(pcm) + skipped, samples - skipped)
        return dropped

    def read(self, Py_ssize_t samples):
        """Remove and return the oldest samples: at most `samples`, fewer when there are no more.

        Raises FrameSizeError if samples is negative.
        """
        if samples < 0:
            raise FrameSizeError(f"cannot read {samples} samples")
        cdef Py_ssize_t taken = min(samples, self._held)
        cdef bytes pcm = new_pcm(taken)
        self.take(<int16_t *>PyBytes_AS_STRING(pcm), taken)
        return pcm

    def clear(self):
        """Drop everything and return how many samples that was."""
        cdef Py_ssize_t dropped = self._held
        self.drop(dropped)
        return dropped

    cdef void append(self, const int16_t *pcm, Py_ssize_t samples) noexcept nogil:
        """Copy in; there is room."""
        cdef Py_ssize_t end = (self._start + self._held) % self._capacity
        cdef Py_ssize_t first = min(samples, self._capacity - end)
        memcpy(self._pcm + end, pcm, first * sizeof(int16_t))
        memcpy(self._pcm, pcm + first, (samples - first) * sizeof(int16_t))
        self._held += samples

    cdef void take(self, int16_t *pcm, Py_ssize_t samples) noexcept nogil:
        """Copy out; so many are held."""
        cdef Py_ssize_t first = min(samples, self._capacity - self._start)
        memcpy(pcm, self._pcm + self._start, first * sizeof(int16_t))
        memcpy(pcm + first, self._pcm, (samples - first) * sizeof(int16_t))
        self.drop(samples)

    cdef void drop(self, Py_ssize_t samples) noexcept nogil:
        """Forget the oldest; so many are held."""
        self._start = (self._start + samples) % self._capacity
        self._held -= samples
