/* One call's media: what the peer sends becomes PCM, events and features; what is played becomes packets.
 *
 * The peer sends and gets RTP; or it has a connection of AudioSocket (link.h); or what it says is handed over (feed.h), and
 * what is said to it goes by other ways. The rest is the same.
 *
 *   pm_session_memory, pm_session_init    memory beside the struct; make a session for one call
 *   media thread:    pm_session_hear      one datagram of the peer's
 *                    pm_session_hear_link, pm_session_hear_feed      what has come over a connection
 *                    pm_session_beat      let 20 ms pass
 *                    pm_session_end_tap   let its recording end
 *   control thread:  pm_session_position, pm_session_peer_silent, pm_session_set_alarm, pm_session_switch,
 *                    pm_session_counts_of
 *                    playout.h, rx_ring.h, tap.h for its audio
 *
 * The session clock starts at 0 with the first beat. Positions are samples on it, at the codec's rate.
 */
#ifndef PM_SESSION_H
#define PM_SESSION_H

#include "amd.h"
#include "codec.h"
#include "datagrams.h"
#include "dtmf.h"
#include "engine_events.h"
#include "feed.h"
#include "g722.h"
#include "jitter.h"
#include "link.h"
#include "playout.h"
#include "plc.h"
#include "rtp.h"
#include "rx_ring.h"
#include "tap.h"
#include "tone.h"
#include "vad.h"

/* A packet waits for the next beat, and the jitter buffer may hold it for another. Counting one frame for that puts the
 * caller's positions 0 to 20 ms early rather than late, so that no measured reaction time is flattered. */
#define PM_LISTENING_DELAY_FRAMES 1
#define PM_LATE_NS 5000000
#define PM_NO_ALARM INT64_MIN
#define PM_NO_PAYLOAD_TYPE 255
/* Recorded audio is announced so often. */
#define PM_TAP_READY_FRAMES 25

/* Detectors that can be switched on and off while the call goes on. */
#define PM_SWITCH_DTMF 1u
#define PM_SWITCH_TONES 2u
#define PM_SWITCH_CALLEE 4u

typedef struct {
    pm_codec_name codec;
    bool idle_frames;           /* send silence while nothing is played */
    int32_t peer_timeout_ms;    /* tell PM_PEER_SILENT after so long without a packet; 0: never */
    uint8_t event_payload_type; /* of RFC 4733 telephone events; PM_NO_PAYLOAD_TYPE: they are not for us */
    uint32_t switches;
    int32_t block_frames;
    int own_socket;             /* of RTP; -1: the engine's, or none is needed */
    uint32_t ssrc;              /* of our stream, random as the next two (RFC 3550 §5.1) */
    uint32_t timestamp;
    uint16_t sequence;
} pm_session_setup;

/* Counts since the start, as the media thread publishes them after each beat. */
typedef struct {
    int64_t received;     /* packets of the peer that are RTP */
    int64_t lost;         /* missing by their sequence */
    int64_t late;         /* came after their time had passed */
    int64_t duplicate;
    int64_t concealed;    /* frames made up while the peer was sending */
    int64_t discarded;    /* frames dropped to bring the delay down */
    int64_t garbage;      /* datagrams of the peer that are neither RTP nor RTCP, or of a length that no frame has */
    int64_t unexpected;   /* packets of another payload type */
    int64_t restarts;     /* new streams (another SSRC) from the peer's address */
    int64_t strangers;    /* datagrams from another address; counted here for a socket of the session's own only */
    int64_t sent;
    int64_t unsent;       /* packets that the kernel did not take; over AudioSocket frames that waited for the peer */
    int64_t late_beats;   /* more than 5 ms after their time */
    int64_t skipped_frames; /* never sent because the thread stood still */
    int64_t underruns;
    int64_t rtcp_reports; /* reception report blocks in the peer's RTCP; the next two are the newest one's */
    int64_t rtcp_fraction_lost; /* in 1/256 */
    int64_t rtcp_jitter;  /* in units of the RTP clock */
    int64_t jitter_depth;  /* now, in units of the RTP clock */
    int64_t jitter_target;
    int64_t tap_dropped;  /* frames that a recording lost because its reader lagged */
    pm_amd_seen callee;   /* while PM_SWITCH_CALLEE is on */
} pm_session_counts;

#define PM_COUNTS_WORDS ((sizeof(pm_session_counts) + 7) / 8)

typedef struct {
    /* The control thread's, before the media thread knows of the session. */
    uint64_t handle;
    uint32_t number; /* in the slab */
    pm_session_setup setup;
    pm_codec codec;
    pm_socket_address peer;
    pm_address peer_address;
    pm_link *link;   /* NULL: none */
    pm_feed *feed;   /* NULL: none */

    /* Both threads'. */
    _Alignas(64) _Atomic int64_t position; /* now */
    _Atomic int64_t heard_at;              /* position when the peer's last packet came */
    _Atomic int64_t alarm;                 /* PM_NO_ALARM: none */
    _Atomic uint32_t switches;
    _Atomic bool ended;                    /* the media thread has let go of the session */
    _Atomic uint32_t counts_version;       /* odd while they are being written */
    _Atomic uint64_t counts_words[PM_COUNTS_WORDS];
    pm_playout playout;
    pm_rx rx;

    /* The media thread's: the clock, */
    _Alignas(64) _Atomic int64_t start_ns; /* of position 0, on the engine's clock; either thread may look */
    int64_t connected_ns;                  /* what came before was for whoever had the address then */
    int64_t beats;
    bool running;                          /* it has a place in a slot */
    uint32_t slot;
    uint32_t place;
    /* the peer's stream, */
    uint32_t heard_ssrc;
    bool heard;                            /* a packet has come */
    bool missed;                           /* PM_PEER_SILENT has been told, and no packet has come since */
    pm_jitter jitter;
    pm_plc plc;
    /* what is found in it, */
    pm_vad vad;
    double block_energy;                   /* sum of squares of the block so far */
    int32_t block_crossings;
    int16_t last_sample;
    uint32_t listening_for;                /* switches as they were at the last beat */
    /* our stream, */
    uint32_t timestamp;
    uint16_t sequence;
    bool resuming;                         /* the next packet is the first after a pause */
    /* what has been counted, */
    pm_session_counts counts;
    /* a recording, */
    pm_tap *tap;
    int32_t tap_frames;                    /* since it was last announced */
    /* and what most calls have no use for most of the time. */
    pm_rtcp rtcp;
    pm_keys keys;
    int64_t key_down_at;
    bool callee_in_word;
    pm_amd amd;
    pm_dtmf dtmf;
    pm_tone tone;
    pm_g722 decoder;
    pm_g722 encoder;
} pm_session;

_Static_assert(sizeof(pm_session) <= 4096, "the part of a session that every beat touches fits 4 KiB");

/* What a beat needs of its engine. */
typedef struct {
    pm_events *events;
    pm_outbox *outbox;
    int socket;         /* the engine's */
    pm_refused refused; /* told of packets that the kernel did not take */
    void *context;
    int64_t behind_ns;  /* how long ago the beat should have been */
    bool sending;       /* false: time that was missed and is only to be accounted for */
} pm_beat;

/* Octets beside the struct, for any codec; a multiple of 64. */
size_t pm_session_memory(void);

/* memory: pm_session_memory() octets, aligned to 64. handle and number stay as they are. */
void pm_session_init(pm_session *session, const pm_session_setup *setup, void *memory);

/* The sender has been checked. */
void pm_session_hear(pm_session *session, const pm_datagram *datagram, pm_events *events);

/* What had come over the connection by this time. catching_up: that is not now, and each beat has its 20 ms. */
void pm_session_hear_link(pm_session *session, int64_t latest_ns, bool catching_up, pm_events *events);
void pm_session_hear_feed(pm_session *session, int64_t latest_ns);

void pm_session_beat(pm_session *session, const pm_beat *beat);

/* Have the processor fetch what the next beat will need: first the struct, and when that is there what it refers to.
 * 2,000 sessions do not fit into its nearer caches. */
PM_INLINE void pm_session_approach(const pm_session *session) {
    const char *start = (const char *)session;
    for (size_t line = 0; line < offsetof(pm_session, rtcp); line += 64) __builtin_prefetch(start + line, 1);
}

PM_INLINE void pm_session_approach_audio(const pm_session *session) {
    const char *history = (const char *)session->plc.history;
    const char *heard = (const char *)pm_rx_place(&session->rx);
    size_t frame = (size_t)session->codec.frame_samples * sizeof(int16_t);
    for (size_t line = 0; line < frame; line += 64) __builtin_prefetch(heard + line, 1);
    for (size_t line = 0; line < frame * 3 / 2; line += 64) __builtin_prefetch(history + line, 1);
}

/* Let the recording, if there is one, end. */
void pm_session_end_tap(pm_session *session, pm_events *events);

/* Now, on the session clock. */
PM_INLINE int64_t pm_session_position(pm_session *session) {
    return atomic_load_explicit(&session->position, memory_order_acquire);
}

/* When position 0 was, on the engine's clock; 0 before. */
PM_INLINE int64_t pm_session_start(pm_session *session) {
    return atomic_load_explicit(&session->start_ns, memory_order_relaxed);
}

/* Whether its packets come to the engine's port. */
PM_INLINE bool pm_session_shares_port(const pm_session *session) {
    return session->setup.own_socket < 0 && session->link == NULL && session->feed == NULL;
}

/* Samples since the peer's last packet came, or since the start. */
PM_INLINE int64_t pm_session_peer_silent(pm_session *session) {
    int64_t heard_at = atomic_load_explicit(&session->heard_at, memory_order_relaxed);
    return pm_max(0, pm_session_position(session) - heard_at);
}

/* Replaces the alarm before; a past one rings with the next beat. PM_NO_ALARM: none. */
PM_INLINE void pm_session_set_alarm(pm_session *session, int64_t position) {
    atomic_store_explicit(&session->alarm, position, memory_order_relaxed);
}

/* PM_SWITCH_...: what is switched on begins afresh with the next beat. */
PM_INLINE void pm_session_switch(pm_session *session, uint32_t switches) {
    atomic_store_explicit(&session->switches, switches, memory_order_relaxed);
}

/* As of the last beat. */
pm_session_counts pm_session_counts_of(pm_session *session);

#endif
