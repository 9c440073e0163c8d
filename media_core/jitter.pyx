"""Playout buffer of one RTP stream: puts packets in order and trades as little delay as the network allows.

Called by audio_fork: `put()` per datagram, `get()` per tick of the playout clock.

How the delay moves. Playing starts with the first packet. When a frame is not there in time, nothing is skipped:
the next tick waits for it, and the delay has grown by a frame. It shrinks in silence, and otherwise by single
frames: soon where more audio is left over after each frame than the observed jitter asks for, and after some
calm seconds where any whole frame has been left over all the time. A hole left by a lost packet keeps its time.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from media_core.sequence cimport (
    ARRIVAL_DUPLICATE,
    ARRIVAL_MISPLACED,
    ARRIVAL_REORDERED,
    Arrival,
    follow_sequence,
    reset_sequence,
)
from media_core.transit cimport needed_delay, note_transit, reset_transit, restart_transit

from media_core.errors import FrameSizeError, RateError

cdef enum:
    MISSING = 0
    SILENT = 1
    AUDIO = 2

cdef enum:
    # Frames after which audio beyond the target is given up.
    HASTE_TICKS = 10
    # Frames for which one must have been left over before it is given up; doubled each time that proves wrong.
    PATIENCE_TICKS = 100
    MAX_PATIENCE_TICKS = 1600

cdef long long NO_SPARE_SEEN = 1 << 40


cdef inline long long ahead(uint32_t timestamp, uint32_t other) noexcept nogil:
    """Return by how much a timestamp is ahead of another near it, across the wrap-around."""
    return <int32_t><uint32_t>(<long long>timestamp - <long long>other)


@cython.final
cdef class JitterBuffer:
    """Take packets as they arrive and give one frame per tick of the local clock.

    For codecs of constant rate. Packets may be of any length up to a second; what comes out is always one frame.
    The delay grows when packets come too late for their frame and shrinks again as soon as the network allows: to
    at most one frame where there is no jitter. Read the socket before the tick, so that what has arrived is put
    first.
    """

    def __cinit__(
        self, int rate_hz=8000, int frame_samples=160, int octets_per_sample=1, int max_delay_ms=120
    ):
        """Prepare an empty buffer.

        rate_hz: the RTP clock (8000 for G.711, G.722 and slin). frame_samples: one tick, in units of that clock.
        octets_per_sample: payload octets per unit of that clock (1 for G.711 and G.722, 2 for slin).
        Raises RateError or FrameSizeError if a number makes no sense.
        """
        if not 8000 <= rate_hz <= 48000:
            raise RateError(f"RTP clock of {rate_hz} Hz is not 8000 to 48000")
        if not 1 <= frame_samples <= rate_hz // 5:
            raise FrameSizeError(f"a frame of {frame_samples} samples is not 1 sample to 200 ms")
        if not 1 <= octets_per_sample <= 4:
            raise FrameSizeError(f"{octets_per_sample} octets per sample are not 1 to 4")
        if not 20 <= max_delay_ms <= 1000:
            raise FrameSizeError(f"a delay of {max_delay_ms} ms is not 20 to 1000")
        self._rate_hz = rate_hz
        self._frame_samples = frame_samples
        self._octets_per_sample = octets_per_sample
        self._max_delay_samples = max_delay_ms * rate_hz // 1000
        # Twice the longest packet, and the longest gap between two.
        self._capacity = 2 * rate_hz + self._max_delay_samples
        self._payload = <uint8_t *>calloc(self._capacity, octets_per_sample)
        self._content = <uint8_t *>calloc(self._capacity, 1)
        if self._payload is NULL or self._content is NULL:
            raise MemoryError
        self.start_stream()

    def __dealloc__(self):
        free(self._payload)
        free(self._content)

    @property
    def lost(self):
        """Packets that are missing by their sequence and have not come so far."""
        return self._sequence.lost

    @property
    def depth_samples(self):
        """What waits in the buffer now, holes included."""
        return self._end - self._play

    @property
    def target_samples(self):
        """The delay that the jitter seen lately calls for, one frame or more."""
        return self.target()

    def put(self, int sequence, timestamp, bytes payload not None, long long arrival):
        """Take one packet.

        payload: a packet that carries no audio but uses the sequence (a telephone event) is put with an empty
        payload, so that it is not counted as lost. arrival: position on the session clock, in units of the RTP
        clock. A restart of sequence or timestamp is followed by itself (RFC 3550 §A.1); for another SSRC call
        `reset()` first.
        Raises FrameSizeError if payload is not whole samples or more than a second; nothing has been taken then.
        """
        cdef Py_ssize_t octets = PyBytes_GET_SIZE(payload)
        if octets % self._octets_per_sample:
            raise FrameSizeError(f"{octets} octets are no whole samples of {self._octets_per_sample} octets")
        cdef Py_ssize_t samples = octets // self._octets_per_sample
        if samples > self._rate_hz:
            raise FrameSizeError(f"a packet of {samples} samples is more than a second")
        self.received += 1
        cdef Arrival kind = follow_sequence(&self._sequence, <uint16_t>(sequence & 0xFFFF))
        if kind == ARRIVAL_DUPLICATE:
            self.duplicate += 1
        elif kind == ARRIVAL_MISPLACED:
            self.late += 1
        elif samples > 0:
            ticks = <uint32_t>(timestamp & 0xFFFFFFFF)
            if kind == ARRIVAL_REORDERED:
                self.fill_in(ticks, <const uint8_t *>PyBytes_AS_STRING(payload), <int>samples, arrival)
            else:
                self.append(ticks, <const uint8_t *>PyBytes_AS_STRING(payload), <int>samples, arrival)

    def get(self):
        """Return the frame whose time has come; call once per tick.

        None: nothing to play at this tick (lost, late, or the sender is silent): conceal it.
        """
        if not self._started:
            return None
        self.shorten()
        cdef bytes frame = PyBytes_FromStringAndSize(NULL, self._frame_samples * self._octets_per_sample)
        return frame if self.take(<uint8_t *>PyBytes_AS_STRING(frame)) else None

    def reset(self):
        """Forget the stream and its timing, for another stream; the counters go on."""
        self.start_stream()

    cdef void start_stream(self) noexcept nogil:
        self._started = False
        self._play = 0
        self._end = 0
        self._packet_samples = self._frame_samples
        reset_sequence(&self._sequence)
        reset_transit(&self._transit, self._rate_hz)
        self._waited = 0
        self._hole_waited = 0
        self.forget_spare()
        self._patience_ticks = PATIENCE_TICKS
        self._shortened = False

    # --- packets in ---------------------------------------------------------------------------------------

    cdef long long placed(self, uint32_t timestamp) noexcept nogil:
        """Return the position of a timestamp near that of the newest packet."""
        return self._position + ahead(timestamp, self._timestamp)

    cdef void append(self, uint32_t timestamp, const uint8_t *payload, int samples, long long arrival) noexcept nogil:
        """Place a packet that is newer than all before it."""
        cdef long long position
        if not self._started:
            self._started = True
            self._timestamp = timestamp
            self._leap_timestamp = timestamp
            self._position = self._end
        position = self.placed(timestamp)
        if self._waited > 0:
            self.resume(position - self._end)
        # Timestamps that stand still, go back or leap (a new source behind the same SSRC) say nothing about time.
        if not self._end <= position <= self._end + self._max_delay_samples:
            position = self._end
            self._leap_timestamp = timestamp
            restart_transit(&self._transit)
        note_transit(&self._transit, position, arrival)
        self.discard(position + samples - self._play - self._capacity)
        self.mark(self._end, position - self._end, MISSING if self._sequence.gap > 0 else SILENT)
        self.store(position, payload, samples)
        self._sequence.gap = 0
        self._timestamp = timestamp
        self._position = position
        self._end = position + samples
        self._packet_samples = max(samples, self._frame_samples)

    cdef void resume(self, long long gap) noexcept nogil:
        """End a wait, before a packet is placed so far behind the newest one.

        The ticks that went by without audio have already taken the time of the gap. Without a gap the packet was
        late, and the delay has grown; so it does where a missing packet may well come yet.
        """
        cdef long long passed = min(max(gap, 0), self._waited)
        if self._sequence.gap > 0 and gap + self._frame_samples <= self.target():
            passed = 0
        if gap <= 0 or self._sequence.gap > 0:
            self.concealed += self._waited // self._frame_samples
        if gap <= 0 and self._shortened:
            self._patience_ticks = min(2 * self._patience_ticks, <long long>MAX_PATIENCE_TICKS)
        if passed > 0:
            self._end += passed
            self._play = self._end
        self._shortened = False
        self._waited = 0
        self.forget_spare()

    cdef void fill_in(self, uint32_t timestamp, const uint8_t *payload, int samples, long long arrival) noexcept nogil:
        """Place a packet that was missing, unless its time has passed."""
        cdef long long position = self.placed(timestamp)
        cdef bint known = ahead(timestamp, self._leap_timestamp) >= 0 and self._end - position <= self._rate_hz
        if known:
            note_transit(&self._transit, position, arrival)
        if known and self.is_missing(position, samples):
            self.store(position, payload, samples)
        else:
            self.late += 1

    # --- the ring -----------------------------------------------------------------------------------------

    cdef void store(self, long long position, const uint8_t *payload, int samples) noexcept nogil:
        cdef Py_ssize_t start = position % self._capacity
        cdef Py_ssize_t first = min(<Py_ssize_t>samples, self._capacity - start) * self._octets_per_sample
        memcpy(self._payload + start * self._octets_per_sample, payload, first)
        memcpy(self._payload, payload + first, samples * self._octets_per_sample - first)
        self.mark(position, samples, AUDIO)

    cdef void mark(self, long long position, long long samples, uint8_t content) noexcept nogil:
        cdef Py_ssize_t start = position % self._capacity
        cdef Py_ssize_t first = min(samples, <long long>(self._capacity - start))
        memset(self._content + start, content, first)
        memset(self._content, content, samples - first)

    cdef void load(self, long long position, uint8_t *payload, int samples) noexcept nogil:
        cdef Py_ssize_t start = position % self._capacity
        cdef Py_ssize_t first = min(<Py_ssize_t>samples, self._capacity - start) * self._octets_per_sample
        memcpy(payload, self._payload + start * self._octets_per_sample, first)
        memcpy(payload + first, self._payload, samples * self._octets_per_sample - first)

    cdef bint is_missing(self, long long position, int samples) noexcept nogil:
        """Tell whether all of this lies in a hole that is still to be played."""
        cdef int i
        if position < self._play or position + samples > self._end:
            return False
        for i in range(samples):
            if self._content[(position + i) % self._capacity] != MISSING:
                return False
        return True

    cdef int run_length(self, uint8_t content) noexcept nogil:
        """Count how many samples of the next frame are of this content from its start on; all are in the buffer."""
        cdef Py_ssize_t start = self._play % self._capacity
        cdef int length = 0
        while length < self._frame_samples and self._content[start] == content:
            length += 1
            start += 1
            if start == self._capacity:
                start = 0
        return length

    # --- frames out ---------------------------------------------------------------------------------------

    cdef bint take(self, uint8_t *payload) noexcept nogil:
        """Copy the next frame out, or tell that there is none at this tick."""
        cdef int silent
        if self._end - self._play >= self._frame_samples:
            silent = self.run_length(SILENT)
            if silent == self._frame_samples:
                self.advance(silent)
                return False
            # Speech that begins within the frame begins at once.
            self._play += silent
        if self._end - self._play < self._frame_samples:
            self._waited += self._frame_samples
            return False
        if self.run_length(AUDIO) < self._frame_samples:
            self.concealed += 1
            self.pass_hole()
            return False
        self.load(self._play, payload, self._frame_samples)
        self._hole_waited = 0
        self.advance(self._frame_samples)
        return True

    cdef void pass_hole(self) noexcept nogil:
        """Go on behind a hole, or wait for what may still come where the jitter makes that likely."""
        cdef int missing = self.run_length(MISSING)
        cdef int target = self.target()
        if missing > 0 and self._end - self._play <= target and self._hole_waited < target:
            self._hole_waited += self._frame_samples
            return
        self.advance(missing if missing > 0 else self._frame_samples)

    cdef void advance(self, int samples) noexcept nogil:
        """Move on, noting what is left over."""
        self._play += samples
        self._ticks += 1
        self._spare = min(self._spare, self._end - self._play)
        self._calm_ticks += 1
        self._calm_spare = min(self._calm_spare, self._end - self._play)

    # --- the delay ----------------------------------------------------------------------------------------

    cdef int target(self) noexcept nogil:
        """Round the needed delay up to frames, one at least, and keep it within the limit."""
        cdef int frames = (needed_delay(&self._transit) + self._frame_samples - 1) // self._frame_samples
        return max(self._frame_samples, min(frames * self._frame_samples, self._max_delay_samples))

    cdef void shorten(self) noexcept nogil:
        """Give up audio that makes the delay longer than it needs to be."""
        cdef int target = self.target()
        cdef long long excess = self._end - self._play - target - self._packet_samples
        while excess >= self._frame_samples and self.run_length(SILENT) == self._frame_samples:
            self._play += self._frame_samples
            excess -= self._frame_samples
        if excess > self._max_delay_samples - target:
            self.discard(excess // self._frame_samples * self._frame_samples)
        elif self._ticks >= HASTE_TICKS:
            if self._spare >= target + self._frame_samples:
                self.discard(self._frame_samples)
            self._ticks = 0
            self._spare = NO_SPARE_SEEN
        if self._calm_ticks >= self._patience_ticks:
            if self._calm_spare >= self._frame_samples:
                self.discard(self._frame_samples)
                self._shortened = True
            self._calm_ticks = 0
            self._calm_spare = NO_SPARE_SEEN

    cdef void discard(self, long long samples) noexcept nogil:
        """Drop the oldest audio, if there is any to drop."""
        if samples > 0:
            self._play += samples
            self.discarded += (samples + self._frame_samples - 1) // self._frame_samples
            self.forget_spare()

    cdef void forget_spare(self) noexcept nogil:
        """Watch afresh what is left over."""
        self._ticks = 0
        self._spare = NO_SPARE_SEEN
        self._calm_ticks = 0
        self._calm_spare = NO_SPARE_SEEN
