/* What the sources of a session share: session.c is the call itself, session_rtp.c and session_connection.c how its audio
 * comes and goes. Nobody else includes this. Media thread only.
 *
 *   pm_session_tell, pm_session_now, pm_session_arrival
 *   pm_session_put              the peer's audio into the jitter buffer
 *   pm_session_heard            the peer is alive
 *   pm_session_encode           one frame as the codec has it
 *   pm_session_send_packet, pm_session_pause_stream      over RTP
 *   pm_session_takes_message, pm_session_send_message    over AudioSocket
 */
#ifndef PM_SESSION_PARTS_H
#define PM_SESSION_PARTS_H

#include "session.h"

PM_INLINE void pm_session_tell(const pm_session *session, pm_events *events, pm_engine_event event) {
    event.session = session->handle;
    pm_events_tell(events, &event);
}

PM_INLINE int64_t pm_session_now(const pm_session *session) {
    return pm_max(0, session->beats - 1) * session->codec.frame_samples;
}

/* In units of the RTP clock since position 0; what came before counts as come then. */
PM_INLINE int64_t pm_session_arrival(const pm_session *session, int64_t arrived_ns) {
    int64_t start_ns = atomic_load_explicit(&session->start_ns, memory_order_relaxed);
    if (session->beats == 0) return 0;
    return pm_max(0, (arrived_ns - start_ns) / (1000000000 / PM_RTP_CLOCK_HZ));
}

/* arrival: as above. */
PM_INLINE void pm_session_heard(pm_session *session, int64_t arrival) {
    int64_t heard_at = arrival * (session->codec.rate_hz / PM_RTP_CLOCK_HZ);
    if (heard_at > atomic_load_explicit(&session->heard_at, memory_order_relaxed)) {
        atomic_store_explicit(&session->heard_at, heard_at, memory_order_relaxed);
    }
    session->missed = false;
}

/* What no buffer takes is counted. */
PM_INLINE void pm_session_put(pm_session *session, uint16_t sequence, uint32_t timestamp, const uint8_t *payload,
                              size_t size, int64_t arrival) {
    pm_jitter_result result = pm_jitter_put(&session->jitter, sequence, timestamp, payload, size, arrival);
    if (result == PM_JITTER_UNEVEN || result == PM_JITTER_TOO_LONG) session->counts.garbage++;
}

/* Returns the octets of the payload, PM_PAYLOAD_MAX at most. */
size_t pm_session_encode(pm_session *session, const int16_t *pcm, uint8_t *payload);

/* payload: the frame encoded, or NULL where `pcm` is to be. */
void pm_session_send_packet(pm_session *session, const int16_t *pcm, const uint8_t *payload, const pm_beat *beat);

/* Let 20 ms pass without a packet. */
void pm_session_pause_stream(pm_session *session);

/* False: the peer does not take 20 ms now, which is counted while it is there. */
bool pm_session_takes_message(pm_session *session);
void pm_session_send_message(pm_session *session, const int16_t *pcm);

#endif
