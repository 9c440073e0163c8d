#define _GNU_SOURCE 1 /* recvmmsg, sendmmsg */

#include <string.h>

#include "session_parts.h"

/* --- the peer's packets ----------------------------------------------------------------------------------- */

static void tell_key(pm_session *session, pm_events *events, pm_event_kind kind, char key, int32_t samples) {
    pm_session_tell(session, events,
                    (pm_engine_event){.kind = (uint16_t)kind,
                                      .code = (uint16_t)(unsigned char)key,
                                      .position = session->key_down_at,
                                      .samples = samples});
}

static void hear_key(pm_session *session, const pm_rtp *packet, pm_events *events) {
    pm_event report;
    if (!pm_event_parse(packet->payload, packet->payload_size, &report)) {
        session->counts.garbage++;
        return;
    }
    char key = pm_key(report.event);
    int32_t samples = report.duration * (session->codec.rate_hz / PM_RTP_CLOCK_HZ);
    pm_key_change change = pm_keys_follow(&session->keys, &report, packet->timestamp);
    if (key == 0 || change == PM_KEY_NOTHING) return;
    if (change != PM_KEY_RELEASED) {
        session->key_down_at = pm_session_now(session);
        tell_key(session, events, PM_DIGIT_PRESSED, key, 0);
    }
    if (change != PM_KEY_PRESSED) tell_key(session, events, PM_DIGIT_RELEASED, key, samples);
}

/* Begin with another stream from the right address: the PBX made it anew. */
static void restart(pm_session *session, uint32_t ssrc) {
    if (session->heard) {
        session->counts.restarts++;
        pm_jitter_reset(&session->jitter);
        pm_g722_init(&session->decoder);
        pm_keys_init(&session->keys);
    }
    session->heard = true;
    session->heard_ssrc = ssrc;
}

static void hear_rtp(pm_session *session, const pm_rtp *packet, int64_t arrival, pm_events *events) {
    bool expected = packet->payload_type == session->codec.payload_type;
    if (!session->heard || packet->ssrc != session->heard_ssrc) restart(session, packet->ssrc);
    pm_session_put(session, packet->sequence, packet->timestamp, packet->payload, expected ? packet->payload_size : 0,
                   arrival);
    if (expected) return;
    if (packet->payload_type == session->setup.event_payload_type) {
        hear_key(session, packet, events);
    } else {
        session->counts.unexpected++;
    }
}

void pm_session_hear(pm_session *session, const pm_datagram *datagram, pm_events *events) {
    pm_rtp packet;
    int64_t arrival = pm_session_arrival(session, datagram->arrived_ns);
    if (pm_rtp_parse(datagram->octets, datagram->size, &packet) == PM_RTP_OK) {
        hear_rtp(session, &packet, arrival, events);
    } else if (!pm_is_rtcp(datagram->octets, datagram->size) ||
               !pm_rtcp_parse(datagram->octets, datagram->size, &session->rtcp)) {
        session->counts.garbage++;
    }
    pm_session_heard(session, arrival);
}

/* --- our packets ------------------------------------------------------------------------------------------ */

void pm_session_send_packet(pm_session *session, const int16_t *pcm, const uint8_t *payload, const pm_beat *beat) {
    uint8_t own[PM_PACKET_MAX];
    bool shared = session->setup.own_socket < 0;
    if (shared && beat->outbox->count == PM_BATCH) {
        pm_outbox_flush(beat->outbox, beat->socket, beat->refused, beat->context);
    }
    uint8_t *packet = shared ? pm_outbox_place(beat->outbox) : own;
    size_t size = PM_FRAME_TICKS;
    pm_rtp_write_header(packet, session->codec.payload_type, session->resuming, session->sequence, session->timestamp,
                        session->setup.ssrc);
    if (payload != NULL) {
        memcpy(packet + PM_RTP_HEADER_SIZE, payload, PM_FRAME_TICKS);
    } else {
        size = pm_session_encode(session, pcm, packet + PM_RTP_HEADER_SIZE);
    }
    session->sequence++;
    session->timestamp += PM_FRAME_TICKS;
    session->resuming = false;
    session->counts.sent++;
    if (shared) {
        pm_outbox_add(beat->outbox, PM_RTP_HEADER_SIZE + size, &session->peer, session->number);
    } else if (!pm_socket_send(session->setup.own_socket, packet, PM_RTP_HEADER_SIZE + size, &session->peer)) {
        beat->refused(beat->context, session->number);
    }
}

void pm_session_pause_stream(pm_session *session) {
    session->timestamp += PM_FRAME_TICKS;
    session->resuming = true;
}
