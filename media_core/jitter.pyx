# distutils: sources = media_core/native/jitter.c media_core/native/sequence.c media_core/native/transit.c
"""Playout buffer of one RTP stream: puts packets in order and trades as little delay as the network allows.

For one stream by hand: `put()` per datagram, `get()` per tick of the playout clock. The media engine has it inside.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc

from media_core.errors import FrameSizeError, RateError


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
        cdef pm_jitter_setup setup
        if not 8000 <= rate_hz <= 48000:
            raise RateError(f"RTP clock of {rate_hz} Hz is not 8000 to 48000")
        if not 1 <= frame_samples <= rate_hz // 5:
            raise FrameSizeError(f"a frame of {frame_samples} samples is not 1 sample to 200 ms")
        if not 1 <= octets_per_sample <= 4:
            raise FrameSizeError(f"{octets_per_sample} octets per sample are not 1 to 4")
        if not 20 <= max_delay_ms <= 1000:
            raise FrameSizeError(f"a delay of {max_delay_ms} ms is not 20 to 1000")
        setup.rate_hz = rate_hz
        setup.frame_samples = frame_samples
        setup.octets_per_sample = octets_per_sample
        setup.max_delay_ms = max_delay_ms
        # Twice the longest packet, and the longest gap between two.
        setup.capacity_samples = 2 * rate_hz + max_delay_ms * rate_hz // 1000
        self._memory = malloc(pm_jitter_memory(&setup))
        if self._memory is NULL:
            raise MemoryError
        pm_jitter_init(&self._buffer, &setup, self._memory, pm_jitter_memory(&setup))
        self._frame_octets = frame_samples * octets_per_sample

    def __dealloc__(self):
        free(self._memory)

    @property
    def received(self):
        """Packets put, all of them."""
        return self._buffer.received

    @property
    def lost(self):
        """Packets that are missing by their sequence and have not come so far."""
        return pm_jitter_lost(&self._buffer)

    @property
    def late(self):
        """Packets that came after their time had passed, or too far out of order to be placed."""
        return self._buffer.late

    @property
    def duplicate(self):
        """Packets that had been put before."""
        return self._buffer.duplicate

    @property
    def concealed(self):
        """Frames for which `get()` had to return None although the sender had been speaking."""
        return self._buffer.concealed

    @property
    def discarded(self):
        """Frames dropped to bring the delay down."""
        return self._buffer.discarded

    @property
    def depth_samples(self):
        """What waits in the buffer now, holes included."""
        return pm_jitter_depth(&self._buffer)

    @property
    def target_samples(self):
        """The delay that the jitter seen lately calls for, one frame or more."""
        return pm_jitter_target(&self._buffer)

    def put(self, int sequence, int64_t timestamp, bytes payload not None, int64_t arrival):
        """Take one packet.

        payload: a packet that carries no audio but uses the sequence (a telephone event) is put with an empty
        payload, so that it is not counted as lost. arrival: position on the session clock, in units of the RTP
        clock. A restart of sequence or timestamp is followed by itself (RFC 3550 §A.1); for another SSRC call
        `reset()` first.
        Raises FrameSizeError if payload is not whole samples or more than a second; nothing has been taken then.
        """
        cdef Py_ssize_t octets = PyBytes_GET_SIZE(payload)
        cdef pm_jitter_result result = pm_jitter_put(
            &self._buffer,
            <uint16_t>(sequence & 0xFFFF),
            <uint32_t>(timestamp & 0xFFFFFFFF),
            <const uint8_t *>PyBytes_AS_STRING(payload),
            octets,
            arrival,
        )
        if result == PM_JITTER_UNEVEN:
            raise FrameSizeError(f"a payload of {octets} octets is no whole samples")
        if result == PM_JITTER_TOO_LONG:
            raise FrameSizeError(f"a packet of {octets} octets is more than a second")

    def get(self):
        """Return the frame whose time has come; call once per tick.

        None: nothing to play at this tick (lost, late, or the sender is silent): conceal it.
        """
        if not self._buffer.started:
            return None
        cdef bytes frame = PyBytes_FromStringAndSize(NULL, self._frame_octets)
        return frame if pm_jitter_get(&self._buffer, <uint8_t *>PyBytes_AS_STRING(frame)) else None

    def reset(self):
        """Forget the stream and its timing, for another stream; the counters go on."""
        pm_jitter_reset(&self._buffer)
