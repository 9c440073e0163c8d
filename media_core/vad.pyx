"""Detection of speech by energy over an adaptive noise floor; positions count samples.

Called by audio_fork with each frame from the caller; its edges become the conversation's speech events.

Blocks of 10 ms are strong (they can begin speech), weak (they can only belong to it) or neither, by how far they
stand out of the noise floor and by fixed levels below which a line is never taken for a voice.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.math cimport M_PI, exp
from libc.stdint cimport int16_t, uint64_t

from media_core.noise_floor cimport note_block, start_noise_floor
from media_core.pcm cimport dbfs, samples_in

from media_core.errors import FrameSizeError, RateError

cdef enum:
    BLOCK_MS = 10
    # Onset may lack so many strong blocks between the first and the last.
    ONSET_SLACK_BLOCKS = 4
    # How far weak blocks before the first strong one may move the beginning back.
    LEAD_BLOCKS = 12
    MAX_DURATION_MS = 500

# All blocks but the oldest of the 64 in memory.
cdef uint64_t REMEMBERED = 0x7FFFFFFFFFFFFFFF
cdef double STRONG_SNR_DB = 9.0
cdef double WEAK_SNR_DB = 6.0
# Weak blocks may be so much quieter than the least level that begins speech.
cdef double WEAK_RELIEF_DB = 8.0
# What is assumed of a line before it has been heard.
cdef double FIRST_NOISE_DBFS = -50.0
# The high-pass filter takes away offsets and the hum of mains.
cdef double HIGH_PASS_HZ = 120.0


@cython.final
cdef class SpeechEdge:
    """The voice began or ended."""

    def __init__(self):
        raise TypeError("SpeechEdge is made by EnergyVad.feed()")

    def __repr__(self):
        return f"SpeechEdge(started={self.started}, position={self.position})"


cdef SpeechEdge new_edge(bint started, long long position):
    cdef SpeechEdge edge = SpeechEdge.__new__(SpeechEdge)
    edge.started = started
    edge.position = position
    return edge


@cython.final
cdef class EnergyVad:
    """Find speech in one stream.

    Decides every 10 ms. Speech begins after `onset_ms` of it within `onset_ms` + 40 ms and ends after
    `hangover_ms` without it. How the audio is split makes no difference.
    """

    def __cinit__(
        self,
        int rate_hz,
        *,
        long long start_position=0,
        int onset_ms=60,
        int hangover_ms=140,
        double min_level_dbfs=-43.0,
    ):
        """Prepare to listen.

        start_position: position of the first sample fed. onset_ms and hangover_ms: multiples of 10 from 10 to 500.
        min_level_dbfs: speech does not begin below this level however quiet the line is.
        Raises RateError if rate_hz is not 8000, 16000, 24000 or 48000; FrameSizeError if a duration is out of range.
        """
        if rate_hz not in (8000, 16000, 24000, 48000):
            raise RateError(f"speech detection at {rate_hz} Hz is not supported")
        for duration_ms in (onset_ms, hangover_ms):
            if not BLOCK_MS <= duration_ms <= MAX_DURATION_MS or duration_ms % BLOCK_MS:
                raise FrameSizeError(f"{duration_ms} ms is not a multiple of 10 ms from 10 to 500")
        self._block_samples = rate_hz * BLOCK_MS // 1000
        self._onset_blocks = onset_ms // BLOCK_MS
        self._hangover_blocks = hangover_ms // BLOCK_MS
        self._min_level_dbfs = min_level_dbfs
        self._block_start = start_position
        self._pole = exp(-2.0 * M_PI * HIGH_PASS_HZ / rate_hz)
        start_noise_floor(&self._noise, FIRST_NOISE_DBFS)

    @property
    def position(self):
        """Position of the next sample to be fed."""
        return self._block_start + self._collected

    @property
    def noise_floor_dbfs(self):
        return self._noise.level_dbfs

    def feed(self, bytes pcm not None):
        """Take the next audio and return the edges found in it, mostly none.

        pcm: int16 little-endian mono, any length.
        Raises FrameSizeError if pcm is not whole samples.
        """
        cdef Py_ssize_t samples = samples_in(pcm)
        cdef list edges = []
        self.take(<const int16_t *>PyBytes_AS_STRING(pcm), samples, edges)
        return edges

    cdef int take(self, const int16_t *pcm, Py_ssize_t samples, list edges) except -1:
        """Filter, collect blocks and add the edges that they bring."""
        cdef Py_ssize_t i
        for i in range(samples):
            self._last_output = pcm[i] - self._last_input + self._pole * self._last_output
            self._last_input = pcm[i]
            self._energy += self._last_output * self._last_output
            self._collected += 1
            if self._collected == self._block_samples and self.end_block():
                edges.append(new_edge(self.speaking, self._edge_position))
        return 0

    cdef bint end_block(self) noexcept nogil:
        """Judge the block just completed; return whether `speaking` has changed, at `_edge_position`."""
        cdef double mean_square = self._energy / self._block_samples
        cdef double level = dbfs(mean_square)
        cdef double noise = self._noise.level_dbfs
        cdef bint strong = level >= max(noise + STRONG_SNR_DB, self._min_level_dbfs)
        cdef bint weak = level >= max(noise + WEAK_SNR_DB, self._min_level_dbfs - WEAK_RELIEF_DB)
        self._strong = (self._strong & REMEMBERED) << 1 | strong
        self._weak = (self._weak & REMEMBERED) << 1 | weak
        note_block(&self._noise, mean_square)
        self._block_start += self._block_samples
        self._collected = 0
        self._energy = 0.0
        return self.ends() if self.speaking else self.begins()

    cdef bint begins(self) noexcept nogil:
        """Begin speech where enough strong blocks came close together."""
        cdef int oldest = 0
        cdef int count = 0
        cdef int lead = 0
        cdef int age
        for age in range(self._onset_blocks + ONSET_SLACK_BLOCKS):
            if self._strong >> age & 1:
                count += 1
                oldest = age
        if count < self._onset_blocks:
            return False
        while lead < LEAD_BLOCKS and oldest < 63 and self._weak >> (oldest + 1) & 1:
            oldest += 1
            lead += 1
        self.speaking = True
        self._edge_position = self._block_start - (oldest + 1) * self._block_samples
        self._speech_end = self._block_start
        return True

    cdef bint ends(self) noexcept nogil:
        """End speech after the hangover; a single weak block, a click, does not prolong it."""
        if self._weak & 3 == 3:
            self._speech_end = self._block_start
        if self._block_start - self._speech_end < self._hangover_blocks * self._block_samples:
            return False
        self.speaking = False
        self._edge_position = self._speech_end
        self._strong = 0
        self._weak = 0
        return True
