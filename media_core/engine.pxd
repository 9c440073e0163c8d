"""Attributes of the engine and its sessions, and what of the native engine (native/engine.h) they use."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from media_core.feed cimport Feed, pm_feed
from media_core.link cimport PM_ALAW, PM_G722, PM_LINEAR, PM_LINEAR16, PM_SLIN, PM_ULAW, Link, pm_codec_name, pm_link
from media_core.session_counts cimport pm_session_counts
from media_core.tap cimport pm_tap


cdef extern from "native/datagrams.h" nogil:
    ctypedef struct pm_socket_address:
        pass

    bint pm_socket_address_of(const char *host, uint16_t port, pm_socket_address *address)


cdef extern from "native/codec.h" nogil:
    ctypedef struct pm_codec:
        int32_t rate_hz
        int32_t frame_samples


cdef extern from "native/playout.h" nogil:
    ctypedef enum pm_form:
        PM_FORM_PCM
        PM_FORM_ULAW
        PM_FORM_ALAW

    ctypedef struct pm_playout:
        pass

    int64_t pm_playout_push(pm_playout *playout, const uint8_t *octets, int32_t samples, pm_form form)
    void pm_playout_clear(pm_playout *playout)
    int64_t pm_playout_end(const pm_playout *playout)
    int64_t pm_playout_played(pm_playout *playout)
    int64_t pm_playout_queued(pm_playout *playout)
    uint32_t pm_playout_released(pm_playout *playout)


cdef extern from "native/rx_ring.h" nogil:
    ctypedef struct pm_rx:
        int32_t block
        uint64_t dropped

    const int16_t *pm_rx_look(pm_rx *ring, int64_t *position)
    bint pm_rx_advance(pm_rx *ring)
    bint pm_rx_read(pm_rx *ring, int16_t *pcm, int64_t *position)


cdef extern from "native/session.h" nogil:
    uint32_t PM_SWITCH_DTMF, PM_SWITCH_TONES, PM_SWITCH_CALLEE
    uint8_t PM_NO_PAYLOAD_TYPE
    int64_t PM_NO_ALARM

    ctypedef struct pm_session_setup:
        pm_codec_name codec
        bint idle_frames
        int32_t peer_timeout_ms
        uint8_t event_payload_type
        uint32_t switches
        int32_t block_frames
        int own_socket
        uint32_t ssrc, timestamp
        uint16_t sequence

    ctypedef struct pm_session:
        uint64_t handle
        uint32_t number
        pm_codec codec
        pm_playout playout
        pm_rx rx

    int64_t pm_session_position(pm_session *session)
    int64_t pm_session_start(pm_session *session)
    int64_t pm_session_peer_silent(pm_session *session)
    void pm_session_set_alarm(pm_session *session, int64_t position)
    void pm_session_switch(pm_session *session, uint32_t switches)
    pm_session_counts pm_session_counts_of(pm_session *session)


cdef extern from "native/engine_events.h" nogil:
    int PM_MARK_REACHED

    ctypedef struct pm_engine_event:
        uint64_t session
        uint16_t kind

    ctypedef struct pm_events:
        pass

    size_t pm_events_waiting(pm_events *events)
    size_t pm_events_fetch(pm_events *events, pm_engine_event *copies, size_t room)


cdef extern from "native/histogram.h" nogil:
    ctypedef struct pm_histogram:
        pass

    int64_t pm_histogram_quantile(pm_histogram *histogram, double share)
    void pm_histogram_reset(pm_histogram *histogram)


cdef extern from "native/slab.h" nogil:
    ctypedef struct pm_slab:
        uint32_t open

    pm_session *pm_slab_find(pm_slab *slab, uint64_t handle)


cdef extern from "native/engine.h" nogil:
    uint32_t PM_NO_SESSION

    ctypedef struct pm_engine_setup:
        uint32_t capacity, slots, events
        int socket, event_fd
        uint64_t secret

    ctypedef struct pm_engine_stats:
        int64_t ticks, late_ticks, lost_ms, strangers, received, unsent, dropped_events, dropped_by_kernel, running
        int64_t busy_ns

    ctypedef struct pm_engine:
        pm_slab slab
        pm_events events
        pm_histogram lateness, duration
        size_t memory_size
        bint started, real_time, locked

    ctypedef enum pm_connect_result:
        PM_CONNECTED
        PM_ADDRESS_TAKEN
        PM_ADDRESS_BAD
        PM_ENGINE_STUCK

    pm_engine *pm_engine_make(const pm_engine_setup *setup)
    void pm_engine_unmake(pm_engine *engine)
    int pm_engine_start(pm_engine *engine, int core, int priority)
    void pm_engine_stop(pm_engine *engine)
    int64_t pm_engine_run(pm_engine *engine, int64_t now_ns)
    void pm_engine_obey(pm_engine *engine)
    pm_session *pm_engine_open(pm_engine *engine, const pm_session_setup *setup)
    pm_connect_result pm_engine_connect(pm_engine *engine, pm_session *session, const pm_socket_address *peer)
    bint pm_engine_link(pm_engine *engine, pm_session *session, pm_link *link)
    bint pm_engine_feed(pm_engine *engine, pm_session *session, pm_feed *feed)
    bint pm_engine_tap(pm_engine *engine, pm_session *session, pm_tap *tap)
    void pm_engine_close(pm_engine *engine, pm_session *session)
    uint32_t pm_engine_reap(pm_engine *engine)
    pm_engine_stats pm_engine_stats_of(pm_engine *engine)


cdef class Port:
    cdef object _socket
    cdef int descriptor         # a second one of the same socket
    cdef readonly tuple address

    cdef int close(self) except -1


cdef class Engine:
    cdef object __weakref__
    cdef pm_engine *_engine
    cdef Port _port             # its own, or None
    cdef int _event_fd
    cdef int _capacity
    cdef int _block_frames
    cdef bint _threaded
    cdef bint _closed
    cdef dict _sessions         # number → Session: open, or not yet let go of by the media thread

    cdef pm_engine *native(self) except NULL
    cdef int obey(self) except -1
    cdef int reap(self) except -1
    cdef int release_pieces(self, uint64_t handle) except -1
    cdef Session take_place(self, const pm_session_setup *setup, str codec, Port port, bint over_rtp)


cdef class Session:
    cdef Engine _owner
    cdef Port _port             # of its own, or None
    cdef Link _link             # these two: alive while the media thread knows of the session; None: over RTP
    cdef Feed _feed
    cdef readonly uint64_t handle
    cdef readonly str codec
    cdef readonly int rate_hz
    cdef bint _over_rtp         # or over a connection
    cdef bint _connected
    cdef bint _let_go           # the media thread knows no more of it
    cdef uint32_t _switches
    cdef list _pieces           # what is being played, oldest first: alive while the media thread reads it
    cdef uint32_t _released     # pieces let go of so far
    cdef list _taps             # Tap: alive while the media thread may write into it; the newest one last

    cdef pm_session *native(self) except NULL
    cdef int release(self, pm_session *session) except -1
    cdef int let_go(self) except -1
