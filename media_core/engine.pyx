"""The media engine: any number of calls on one native thread, over RTP on one UDP port for all of them.

Used by audio_fork. The work is done by native/engine.c; this is its face, and the owner of everything it refers to:
pieces of audio, recordings, sockets, connections stay alive until the media thread has let go of them.

Methods belong to one thread at a time (the event loop's); the media thread is the engine's own.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.math cimport llrint
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from media_core.feed cimport Feed
from media_core.link cimport Link
from media_core.prompt cimport Prompt
from media_core.session_counts cimport stats_of
from media_core.tap cimport Tap
from media_core.view cimport new_view

import atexit
import logging
import os
import secrets
import warnings
from weakref import WeakSet

import numpy as np

from media_core.engine_events import EVENT_DTYPE
from media_core.engine_stats import EngineStats
from media_core.errors import (
    EngineFull,
    EngineStartError,
    EngineStopped,
    FrameSizeError,
    PeerAddressError,
    PlayoutFull,
    RateError,
    StaleHandle,
)
from media_core.feed import open_feeds
from media_core.link import open_links
from media_core.tap import open_taps

cdef extern from "<unistd.h>" nogil:
    ssize_t read(int descriptor, void *buffer, size_t size)
    int close_descriptor "close"(int descriptor)

logger = logging.getLogger(__name__)

cdef dict CODECS = {"ulaw": PM_ULAW, "alaw": PM_ALAW, "slin": PM_SLIN, "g722": PM_G722}
cdef dict CONNECTION_CODECS = {"ulaw": PM_ULAW, "alaw": PM_ALAW, "slin": PM_LINEAR, "slin16": PM_LINEAR16}
cdef dict FORMS = {"ulaw": PM_FORM_ULAW, "alaw": PM_FORM_ALAW}
cdef enum:
    EVENTS_PER_SESSION = 48     # 2 s of blocks, so that no mark is lost while the event loop stands still
    MAX_PIECE_OCTETS = 1 << 30

cdef int engines = 0
cdef int sessions = 0
cdef bint told_of_scheduling = False
alive = WeakSet()


@atexit.register
def stop_threads():
    """See to it that no media thread reads audio whose memory the ending interpreter gives back."""
    for engine in alive:
        pm_engine_stop((<Engine>engine)._engine)


def resources():
    """Count what has not been closed: engines, sessions, recordings, connections. For tests that look for leaks."""
    return {
        "engines": engines,
        "sessions": sessions,
        "taps": open_taps(),
        "links": open_links(),
        "feeds": open_feeds(),
    }


cdef tell_of_scheduling():
    """Say once per process that neither time nor memory is ours for sure."""
    global told_of_scheduling
    if not told_of_scheduling:
        told_of_scheduling = True
        logger.warning(
            "the media thread may not run with real-time priority, or not keep its memory: on a busy machine audio will "
            "be late by tens of milliseconds; allow both (systemd: LimitRTPRIO=10 and LimitMEMLOCK=infinity, or the capability CAP_SYS_NICE)"
        )


@cython.final
cdef class Port:
    """A bound UDP socket that was given to us.

    The media thread uses a descriptor of its own: a collector that clears a forgotten engine closes Python's sockets
    before it asks the engine to stop.
    """

    def __cinit__(self, sock):
        self.descriptor = -1
        self.descriptor = os.dup(sock.fileno())
        self._socket = sock
        self.address = sock.getsockname()[:2]

    def __dealloc__(self):
        if self.descriptor >= 0:
            close_descriptor(self.descriptor)

    cdef int close(self) except -1:
        close_descriptor(self.descriptor)
        self.descriptor = -1
        self._socket.close()
        return 0


cdef int descriptor_of(Port port) noexcept:
    return -1 if port is None else port.descriptor


@cython.final
cdef class Engine:
    """Carries calls: RTP in and out, jitter, concealment, detection and playout, off the GIL."""

    def __cinit__(self, sock=None, *, int capacity=500, bint threaded=True, int block_ms=60):
        """Make an engine at rest; all of its memory is allocated here.

        sock: a bound UDP socket that the calls share; the engine takes it over. None: every session brings its own.
        capacity: calls at once. threaded: `start()` gives it a thread; otherwise `step()` runs it.
        block_ms: length of the blocks in which the caller's audio is read: 20, 40, 60, 80 or 100.
        Raises EngineStartError if there is no memory, FrameSizeError if a number makes no sense.
        """
        global engines
        self._event_fd = -1
        if capacity < 1 or capacity > 1 << 20:
            raise FrameSizeError(f"{capacity} calls are not 1 to 1048576")
        if block_ms not in (20, 40, 60, 80, 100):
            raise FrameSizeError(f"blocks of {block_ms} ms are not 20, 40, 60, 80 or 100")
        self._event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        cdef pm_engine_setup setup
        setup.capacity = capacity
        setup.slots = 10 if threaded else 1
        setup.events = max(1024, EVENTS_PER_SESSION * capacity)
        self._port = None if sock is None else Port(sock)
        setup.socket = descriptor_of(self._port)
        setup.event_fd = self._event_fd
        setup.secret = secrets.randbits(64)
        self._engine = pm_engine_make(&setup)
        if self._engine is NULL:
            raise EngineStartError(f"no memory for {capacity} calls")
        self._capacity = capacity
        self._threaded = threaded
        self._block_frames = block_ms // 20
        self._sessions = {}
        alive.add(self)
        engines += 1

    def __dealloc__(self):
        global engines
        if self._engine is not NULL:
            pm_engine_stop(self._engine)
            pm_engine_unmake(self._engine)
            if not self._closed:
                engines -= 1
        if self._event_fd >= 0:
            close_descriptor(self._event_fd)

    def __del__(self):
        # Before anything that the media thread reads is let go of: what the collector clears comes next.
        if self._engine is not NULL and not self._closed:
            pm_engine_stop(self._engine)
            warnings.warn("a media engine was not closed", ResourceWarning, source=self)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    cdef pm_engine *native(self) except NULL:
        if self._closed:
            raise EngineStopped("the engine has been closed")
        return self._engine

    def fileno(self):
        """Return the descriptor that is readable while there are events: for `loop.add_reader()`."""
        return self._event_fd

    @property
    def local_address(self):
        """Where peers send to (host and port); None where every session has its own."""
        return None if self._port is None else self._port.address

    # --- running ------------------------------------------------------------------------------------------------

    def start(self, *, core=None, int priority=10):
        """Run in a thread of its own, on this core if one is named, by SCHED_FIFO if that is permitted.

        priority: of SCHED_FIFO, 0 for none. Raises EngineStartError, EngineStopped if it runs already or was made
        with `threaded=False`.
        """
        if self.native().started or not self._threaded:
            raise EngineStopped("the engine runs already, or was made to be run by step()")
        cdef int failed = pm_engine_start(self._engine, -1 if core is None else core, priority)
        if failed:
            raise EngineStartError(f"the media thread cannot be started: {os.strerror(failed)}")
        if priority > 0 and not (self._engine.real_time and self._engine.locked):
            tell_of_scheduling()

    def step(self, double now_s):
        """Run everything that is due at a time, in seconds on the caller's monotonic clock; return when more is.

        Raises EngineStopped if the engine has a thread.
        """
        if self.native().started:
            raise EngineStopped("the engine's own thread runs it")
        return pm_engine_run(self._engine, llrint(now_s * 1e9)) * 1e-9

    def close(self):
        """Stop the thread, close every session and give the port back. May be called twice."""
        global engines
        if self._closed:
            return
        with nogil:
            pm_engine_stop(self._engine)
        for session in list(self._sessions.values()):
            session.close()
        pm_engine_obey(self._engine)
        self.reap()
        self._closed = True
        engines -= 1
        if self._port is not None:
            self._port.close()

    cdef int obey(self) except -1:
        """Carry out at once what was commanded, where no thread does it."""
        if not self._engine.started:
            pm_engine_obey(self._engine)
        return 0

    cdef int reap(self) except -1:
        """Let go of what belonged to sessions that the media thread has let go of."""
        cdef uint32_t number = pm_engine_reap(self._engine)
        while number != PM_NO_SESSION:
            (<Session>self._sessions.pop(number)).let_go()
            number = pm_engine_reap(self._engine)
        return 0

    # --- calls --------------------------------------------------------------------------------------------------

    def open(
        self,
        str codec not None,
        sock=None,
        *,
        bint idle_frames=True,
        int peer_timeout_ms=0,
        event_payload_type=None,
        bint dtmf=False,
        bint tones=False,
        bint callee=False,
    ):
        """Open a session for one call; its media start with `connect()`.

        codec: `ulaw`, `alaw`, `slin` or `g722`. sock: a bound UDP socket of this call's own, which the session takes
        over; needed where the engine has none. idle_frames: send silence while nothing is played.
        peer_timeout_ms: tell PEER_SILENT after so long without a packet; 0: never. event_payload_type: of the peer's
        telephone events (RFC 4733), None where they are not for us. dtmf, tones, callee: see `Session.switch()`.
        Raises EngineFull, RateError for another codec, EngineStopped.
        """
        cdef pm_session_setup setup
        cdef Port port = None
        self.native()
        if codec not in CODECS:
            raise RateError(f"codec {codec!r} is not one of {', '.join(CODECS)}")
        if sock is None and self._port is None:
            raise EngineStartError("the engine has no port: give the session one")
        setup.codec = CODECS[codec]
        setup.idle_frames = idle_frames
        setup.peer_timeout_ms = max(0, peer_timeout_ms)
        setup.event_payload_type = PM_NO_PAYLOAD_TYPE if event_payload_type is None else event_payload_type
        setup.switches = switches_of(dtmf, tones, callee)
        setup.block_frames = self._block_frames
        port = None if sock is None else Port(sock)
        setup.own_socket = descriptor_of(port)
        setup.ssrc = secrets.randbits(32)
        setup.timestamp = secrets.randbits(32)
        setup.sequence = secrets.randbits(16)
        return self.take_place(&setup, codec, port, True)

    def open_connection(self, str codec not None, *, bint idle_frames=True):
        """Open a session whose audio comes over a connection; its media start with `link()` or `begin()`.

        codec: `slin` or `slin16`, little-endian; `ulaw`, `alaw` for `begin()`. idle_frames: as for `open()`.
        Raises EngineFull, RateError for another codec, EngineStopped.
        """
        cdef pm_session_setup setup
        self.native()
        if codec not in CONNECTION_CODECS:
            raise RateError(f"codec {codec!r} is not one of {', '.join(CONNECTION_CODECS)}")
        memset(&setup, 0, sizeof(setup))
        setup.codec = CONNECTION_CODECS[codec]
        setup.idle_frames = idle_frames
        setup.event_payload_type = PM_NO_PAYLOAD_TYPE
        setup.block_frames = self._block_frames
        setup.own_socket = -1
        return self.take_place(&setup, codec, None, False)

    cdef Session take_place(self, const pm_session_setup *setup, str codec, Port port, bint over_rtp):
        cdef pm_session *native
        self.reap()
        native = pm_engine_open(self._engine, setup)
        if native is NULL:
            raise EngineFull(f"{self._capacity} calls go on already, or have not quite ended")
        session = new_session(self, native, codec, port, setup.switches)
        session._over_rtp = over_rtp
        self._sessions[native.number] = session
        return session

    def events(self):
        """Return what has happened since the last call, oldest first: an array of EVENT_DTYPE, maybe empty."""
        cdef uint64_t wakes
        cdef Py_buffer buffer
        cdef pm_engine_event *first
        cdef size_t i
        self.native()
        read(self._event_fd, &wakes, sizeof(wakes))
        self.reap()
        found = np.empty(pm_events_waiting(&self._engine.events), EVENT_DTYPE)
        PyObject_GetBuffer(found, &buffer, PyBUF_SIMPLE | PyBUF_WRITABLE)
        first = <pm_engine_event *>buffer.buf
        pm_events_fetch(&self._engine.events, first, len(found))
        try:
            for i in range(<size_t>len(found)):
                if first[i].kind == PM_MARK_REACHED:
                    self.release_pieces(first[i].session)
        finally:
            PyBuffer_Release(&buffer)
        return found

    cdef int release_pieces(self, uint64_t handle) except -1:
        """Let go of the audio that a session has played."""
        cdef pm_session *native = pm_slab_find(&self._engine.slab, handle)
        if native is not NULL:
            (<Session>self._sessions[native.number]).release(native)
        return 0

    # --- counts -------------------------------------------------------------------------------------------------

    def stats(self):
        """Return the counts since the engine was made."""
        cdef pm_engine_stats stats = pm_engine_stats_of(self.native())
        return EngineStats(
            capacity=self._capacity,
            sessions=self._engine.slab.open,
            running=stats.running,
            memory_octets=self._engine.memory_size,
            real_time=self._engine.real_time,
            memory_locked=self._engine.locked,
            ticks=stats.ticks,
            late_ticks=stats.late_ticks,
            lost_ms=stats.lost_ms,
            received=stats.received,
            strangers=stats.strangers,
            dropped_by_kernel=stats.dropped_by_kernel,
            unsent=stats.unsent,
            dropped_events=stats.dropped_events,
            cpu_s=stats.busy_ns * 1e-9,
        )

    def lateness_s(self, double share):
        """Return how late this share of all ticks began at most (0.999: the 99.9th percentile), to 12 %."""
        return pm_histogram_quantile(&self.native().lateness, share) * 1e-9

    def duration_s(self, double share):
        """Return how long this share of all ticks took at most; only with a thread."""
        return pm_histogram_quantile(&self.native().duration, share) * 1e-9

    def forget_times(self):
        """Begin to measure lateness and duration afresh."""
        pm_histogram_reset(&self.native().lateness)
        pm_histogram_reset(&self._engine.duration)


cdef uint32_t switches_of(bint dtmf, bint tones, bint callee) noexcept:
    return (PM_SWITCH_DTMF if dtmf else 0) | (PM_SWITCH_TONES if tones else 0) | (PM_SWITCH_CALLEE if callee else 0)


cdef Session new_session(Engine owner, pm_session *native, str codec, Port port, uint32_t switches):
    global sessions
    cdef Session session = Session.__new__(Session)
    session._owner = owner
    session._port = port
    session.handle = native.handle
    session.codec = codec
    session.rate_hz = native.codec.rate_hz
    session._switches = switches
    session._pieces = []
    session._taps = []
    sessions += 1
    return session


@cython.final
cdef class Session:
    """One call's media. After `close()` every method but `close()` raises StaleHandle."""

    def __init__(self):
        raise TypeError("Session is made by Engine.open()")

    def __dealloc__(self):
        global sessions
        # Of an engine that was forgotten, and has been stopped.
        if self._owner is not None and not self._let_go:
            sessions -= 1

    def __repr__(self):
        return f"Session({self.handle:#x}, {self.codec})"

    @property
    def local_address(self):
        """Where the peer sends to: host and port, its own or the engine's."""
        self.native()
        return self._owner.local_address if self._port is None else self._port.address

    cdef pm_session *native(self) except NULL:
        cdef pm_session *native = pm_slab_find(&self._owner.native().slab, self.handle)
        if native is NULL:
            raise StaleHandle("the session has been closed")
        return native

    def connect(self, str host not None, int port):
        """Start the media with this peer, the only address whose packets count.

        host: numeric. The session clock starts at 0 with the first beat, at most 40 ms later.
        Raises PeerAddressError if the address is not numeric or another session has it, or if there is a peer already.
        """
        cdef pm_session *native = self.native()
        cdef pm_socket_address address
        cdef pm_connect_result result
        if self._connected or not self._over_rtp:
            raise PeerAddressError("the session has its peer already, or is for a connection")
        if not 0 < port < 65536 or not pm_socket_address_of(host.encode("utf-8"), <uint16_t>port, &address):
            raise PeerAddressError(f"{host!r}, {port} is not a numeric address and a port")
        result = pm_engine_connect(self._owner._engine, native, &address)
        if result == PM_ADDRESS_TAKEN:
            raise PeerAddressError(f"another session has the peer {host} port {port}")
        if result != PM_CONNECTED:
            raise EngineStopped("the media thread does not take commands")
        self._connected = True
        self._owner.obey()

    def link(self, sock, *, bint keys=False):
        """Start the media over an AudioSocket connection that has shown its id.

        sock: a connected non-blocking TCP socket; the media thread uses a descriptor of its own. Whoever has it hangs
        up by closing the session, and then waits for the peer to close. keys: tell keys that
        come by messages; otherwise they are counted as unexpected.
        Raises PeerAddressError where that makes no sense for the session, EngineStopped.
        """
        cdef pm_session *native = self.native()
        if self._connected or self._over_rtp or CONNECTION_CODECS[self.codec] not in (PM_LINEAR, PM_LINEAR16):
            raise PeerAddressError("the session has its peer already, or is not for an AudioSocket connection")
        cdef Link link = Link(sock, CONNECTION_CODECS[self.codec], keys)
        if not pm_engine_link(self._owner._engine, native, &link.native):
            raise EngineStopped("the media thread does not take commands")
        self._link = link
        self._connected = True
        self._owner.obey()

    def begin(self):
        """Start the media; what comes is handed over by `feed()`, and what is said goes by other ways.

        Raises PeerAddressError where that makes no sense for the session, EngineStopped.
        """
        cdef pm_session *native = self.native()
        if self._connected or self._over_rtp:
            raise PeerAddressError("the session has its peer already, or is not for a connection")
        cdef Feed feed = Feed(CONNECTION_CODECS[self.codec])
        if not pm_engine_feed(self._owner._engine, native, feed.native):
            raise EngineStopped("the media thread does not take commands")
        self._feed = feed
        self._connected = True
        self._owner.obey()

    def feed(self, bytes octets not None, double now_s):
        """Hand over what the peer said: encoded, of any length up to a second, come at this time of `step()`'s clock.

        Ignored before `begin()`. What is no whole samples is counted as garbage.
        """
        self.native()
        if self._feed is not None:
            self._feed.put(octets, now_s)

    def position_at(self, double now_s):
        """Return the position at a time of `step()`'s clock, which may be between two beats; 0 before the first."""
        cdef int64_t start_ns = pm_session_start(self.native())
        return max(0, (llrint(now_s * 1e9) - start_ns) * self.rate_hz // 1000000000) if start_ns else 0

    def close(self):
        """End the media; the handle is void from now on. May be called twice."""
        cdef pm_session *native
        if self._owner._closed:
            return
        native = pm_slab_find(&self._owner._engine.slab, self.handle)
        if native is not NULL:
            pm_engine_close(self._owner._engine, native)
            self._owner.obey()
            self._owner.reap()

    cdef int let_go(self) except -1:
        """Give everything up: the media thread no longer knows of the session."""
        global sessions
        self._pieces.clear()
        self._taps.clear()
        if self._link is not None:
            self._link.close()
            self._link = None
        self._feed = None
        if self._port is not None:
            self._port.close()
        self._let_go = True
        sessions -= 1
        return 0

    # --- to the caller ------------------------------------------------------------------------------------------

    def play(self, audio not None):
        """Queue audio behind what is queued and return its mark: what `played_samples` will be when it has gone out.

        audio: int16 little-endian mono PCM at `rate_hz` as `bytes`, or a Prompt in sessions at 8 kHz. It is not
        copied. Raises PlayoutFull when 64 pieces wait, FrameSizeError for half a sample or more than 2^30 octets.
        """
        cdef pm_session *native = self.native()
        cdef pm_form form = PM_FORM_PCM
        cdef bytes octets
        cdef Py_ssize_t samples
        cdef int64_t mark
        if isinstance(audio, Prompt):
            if self.rate_hz != 8000:
                raise RateError(f"a prompt is audio at 8000 Hz, the session's is at {self.rate_hz} Hz")
            octets = (<Prompt>audio).payload
            form = FORMS[(<Prompt>audio).codec]
            samples = (<Prompt>audio).samples
        else:
            octets = audio
            samples = PyBytes_GET_SIZE(octets) >> 1
            if PyBytes_GET_SIZE(octets) & 1:
                raise FrameSizeError("16-bit PCM has an even number of octets")
        if PyBytes_GET_SIZE(octets) > MAX_PIECE_OCTETS:
            raise FrameSizeError("a piece of more than 2^30 octets")
        self.release(native)
        mark = pm_playout_push(&native.playout, <const uint8_t *>PyBytes_AS_STRING(octets), <int32_t>samples, form)
        if mark < 0:
            raise PlayoutFull("64 pieces of audio wait already")
        self._pieces.append(octets)
        return mark

    def clear(self):
        """Drop what is queued, and its marks; at most 5 ms more go out, fading, and count as played."""
        cdef pm_session *native = self.native()
        pm_playout_clear(&native.playout)
        self.release(native)

    cdef int release(self, pm_session *native) except -1:
        """Let go of the pieces that the media thread no longer reads."""
        cdef uint32_t released = pm_playout_released(&native.playout)
        while self._released != released:
            self._pieces.pop(0)
            self._released = (self._released + 1) & 0xFFFFFFFF
        return 0

    @property
    def position(self):
        """Now, on the session clock, in samples; moves on by one frame with every beat."""
        return pm_session_position(self.native())

    @property
    def played_samples(self):
        """How many samples given to `play()` have gone out; idle silence is not counted."""
        return pm_playout_played(&self.native().playout)

    @property
    def queued_samples(self):
        """How many are still to go out."""
        return pm_playout_queued(&self.native().playout)

    @property
    def end_mark(self):
        """The mark of all that is queued: what `played_samples` will be when it has gone out."""
        return pm_playout_end(&self.native().playout)

    def set_alarm(self, position):
        """Ask for ALARM_REACHED at this position, or for none; replaces the alarm before; a past one comes at once."""
        pm_session_set_alarm(self.native(), PM_NO_ALARM if position is None else position)

    # --- from the caller ----------------------------------------------------------------------------------------

    @property
    def peer_silent_ms(self):
        """How long no packet has come from the peer, or since the start."""
        return pm_session_peer_silent(self.native()) * 1000 // self.rate_hz

    def read(self):
        """Return the position and the PCM of the oldest block of the caller's audio, None while there is none.

        Blocks follow each other without a hole unless the reader lags by more than 200 ms; then the oldest are lost.
        """
        cdef pm_session *native = self.native()
        cdef int64_t position
        cdef bytes pcm
        if pm_rx_look(&native.rx, &position) is NULL:
            return None
        pcm = PyBytes_FromStringAndSize(NULL, 2 * native.rx.block)
        if not pm_rx_read(&native.rx, <int16_t *>PyBytes_AS_STRING(pcm), &position):
            return None
        return position, pcm

    def view(self):
        """Return the same without copying: the position and a view of the block, valid until `advance()`."""
        cdef pm_session *native = self.native()
        cdef int64_t position
        cdef const int16_t *pcm = pm_rx_look(&native.rx, &position)
        if pcm is NULL:
            return None
        return position, memoryview(new_view(self._owner, pcm, native.rx.block)).cast("h")

    def advance(self):
        """Go on to the next block; return whether the one viewed stayed whole while it was looked at."""
        return bool(pm_rx_advance(&self.native().rx))

    def switch(self, *, dtmf=None, tones=None, callee=None):
        """Switch detectors on and off; those left out stay as they are. What is switched on begins afresh.

        dtmf: keys heard as tones. tones: beeps and other single tones. callee: the timing of the callee's words.
        """
        cdef pm_session *native = self.native()
        for wanted, bit in ((dtmf, PM_SWITCH_DTMF), (tones, PM_SWITCH_TONES), (callee, PM_SWITCH_CALLEE)):
            if wanted is not None:
                self._switches = (self._switches | bit) if wanted else (self._switches & ~bit)
        pm_session_switch(native, self._switches)

    # --- recording ----------------------------------------------------------------------------------------------

    def record(self, bint on):
        """Record both sides from the next beat on, or let the recording end: TAP_ENDED follows when it is whole.

        Up to 2 s wait for `recorded()`; what does not fit is lost and counted.
        """
        cdef pm_session *native = self.native()
        cdef Tap tap = None
        if on:
            tap = Tap(native.codec.frame_samples)
        if not pm_engine_tap(self._owner._engine, native, tap.native if on else NULL):
            raise EngineStopped("the media thread does not take commands")
        if on:
            self._taps.append(tap)
        self._owner.obey()

    def recorded(self, uint32_t most_frames=100):
        """Return the oldest recorded audio, None while there is none: position, the caller's PCM, the agent's.

        Both sides begin at the position and are equally long. Call until it returns None.
        """
        self.native()
        cdef Tap tap
        while self._taps:
            tap = self._taps[0]
            found = tap.fetch(most_frames)
            if found is not None:
                return found
            if not tap.is_done():
                return None
            self._taps.pop(0)
        return None

    def stats(self):
        """Return the counts since the session was connected."""
        cdef pm_session *native = self.native()
        cdef pm_session_counts counts = pm_session_counts_of(native)
        if self._feed is not None:
            counts.garbage += self._feed.native.garbage
            counts.discarded += self._feed.native.dropped
        return stats_of(counts, native.rx.dropped)
