"""Attributes of the jitter buffer; positions count samples of the stream as it is to be played."""

from libc.stdint cimport uint8_t, uint32_t

from media_core.sequence cimport SequenceWindow
from media_core.transit cimport TransitSpread


cdef class JitterBuffer:
    cdef int _rate_hz
    cdef int _frame_samples
    cdef int _octets_per_sample
    cdef int _max_delay_samples

    cdef uint8_t *_payload          # ring of `_capacity` samples
    cdef uint8_t *_content          # what each of them is: MISSING, SILENT or AUDIO
    cdef Py_ssize_t _capacity
    cdef bint _started
    cdef long long _play            # position of the next frame
    cdef long long _end             # one past the newest sample
    cdef uint32_t _timestamp        # of the newest packet,
    cdef long long _position        # and where it was placed
    cdef uint32_t _leap_timestamp   # of the first packet since timestamps last leapt: older ones have no place
    cdef int _packet_samples        # length of the newest packet, one frame at least

    cdef SequenceWindow _sequence
    cdef TransitSpread _transit

    cdef long long _waited          # samples for which nothing was there to play, since the last packet
    cdef long long _hole_waited     # samples for which a hole was held open, since the last frame played
    cdef long long _ticks           # frames played since the last look at the spare audio
    cdef long long _spare           # least audio left behind after a frame, since then
    cdef long long _calm_ticks      # the same two over the longer time
    cdef long long _calm_spare
    cdef long long _patience_ticks
    cdef bint _shortened            # after calm, a frame was given up: a late packet now would show that to be wrong

    cdef readonly long long received
    cdef readonly long long late
    cdef readonly long long duplicate
    cdef readonly long long concealed
    cdef readonly long long discarded

    cdef void start_stream(self) noexcept nogil
    cdef long long placed(self, uint32_t timestamp) noexcept nogil
    cdef void append(self, uint32_t timestamp, const uint8_t *payload, int samples, long long arrival) noexcept nogil
    cdef void resume(self, long long gap) noexcept nogil
    cdef void fill_in(self, uint32_t timestamp, const uint8_t *payload, int samples, long long arrival) noexcept nogil
    cdef void store(self, long long position, const uint8_t *payload, int samples) noexcept nogil
    cdef void mark(self, long long position, long long samples, uint8_t content) noexcept nogil
    cdef void load(self, long long position, uint8_t *payload, int samples) noexcept nogil
    cdef bint is_missing(self, long long position, int samples) noexcept nogil
    cdef int run_length(self, uint8_t content) noexcept nogil
    cdef bint take(self, uint8_t *payload) noexcept nogil
    cdef void pass_hole(self) noexcept nogil
    cdef void advance(self, int samples) noexcept nogil
    cdef int target(self) noexcept nogil
    cdef void shorten(self) noexcept nogil
    cdef void discard(self, long long samples) noexcept nogil
    cdef void forget_spare(self) noexcept nogil
