#define _GNU_SOURCE 1 /* recvmmsg, sendmmsg */

#include "session_parts.h"

/* Take a piece of the peer's voice that carries no number. */
static void hear_piece(pm_session *session, pm_numbering *numbering, const uint8_t *octets, size_t size,
                       int64_t arrival) {
    int64_t ticks = (int64_t)size / session->codec.octets_per_tick;
    pm_number number = pm_numbering_next(numbering, arrival, ticks);
    pm_session_put(session, number.sequence, number.timestamp, octets, size, arrival);
}

static void take_key(pm_session *session, char key, pm_events *events) {
    if (!session->link->tells_keys) {
        session->counts.unexpected++;
        return;
    }
    pm_session_tell(session, events,
                    (pm_engine_event){.kind = PM_DIGIT_PRESSED,
                                      .code = (uint16_t)(unsigned char)key,
                                      .value = PM_KEY_BY_MESSAGE,
                                      .position = pm_session_now(session)});
}

/* Returns whether it was 20 ms of the peer's voice, or less. */
static bool take_found(pm_session *session, const pm_found *found, int64_t arrival, pm_events *events) {
    switch (found->kind) {
        case PM_FOUND_AUDIO:
            hear_piece(session, &session->link->numbering, found->payload, found->size, arrival);
            return true;
        case PM_FOUND_KEY: take_key(session, (char)found->payload[0], events); break;
        case PM_FOUND_OTHER_AUDIO: session->counts.unexpected++; break;
        case PM_FOUND_UNREADABLE: session->counts.garbage++; break;
        case PM_FOUND_NOTHING:
        case PM_FOUND_HANGUP:
        case PM_FOUND_ERROR:
        case PM_FOUND_BROKEN: break;
    }
    return false;
}

/* Take what has come so far; returns how many pieces of voice that were, `most` at most. */
static int take_all(pm_session *session, int most, int64_t arrival, pm_events *events) {
    pm_found found;
    int pieces = 0;
    while (pieces < most && pm_link_find(session->link, &found)) {
        pieces += take_found(session, &found, arrival, events);
    }
    return pieces;
}

/* That the connection is over is told once; where that does not fit, with a later beat. */
static void tell_end(pm_session *session, pm_events *events) {
    pm_link *link = session->link;
    if (!link->over || link->told || !pm_events_fit(events)) return;
    link->told = true;
    pm_session_tell(session, events,
                    (pm_engine_event){.kind = PM_PEER_GONE, .code = link->why, .position = pm_session_now(session)});
}

void pm_session_hear_link(pm_session *session, int64_t latest_ns, bool catching_up, pm_events *events) {
    pm_link *link = session->link;
    int64_t arrival = pm_session_arrival(session, latest_ns);
    size_t asked = catching_up ? PM_AUDIOSOCKET_HEADER_SIZE + link->reader.frame_octets : PM_LINK_READ;
    int most = catching_up ? 1 : PM_LINK_READS * PM_LINK_READ;
    int pieces = take_all(session, most, arrival, events);
    for (int reads = 0; reads < PM_LINK_READS && pieces < most; reads++) {
        if (!pm_link_receive(link, asked)) break;
        pm_session_heard(session, arrival);
        pieces += take_all(session, most - pieces, arrival, events);
        if (link->octets_size < asked) break; /* the system has no more */
    }
    tell_end(session, events);
}

void pm_session_hear_feed(pm_session *session, int64_t latest_ns) {
    const pm_feed_piece *piece;
    while ((piece = pm_feed_look(session->feed, latest_ns)) != NULL) {
        int64_t arrival = pm_session_arrival(session, piece->arrived_ns);
        hear_piece(session, &session->feed->numbering, piece->octets, piece->size, arrival);
        pm_session_heard(session, arrival);
        pm_feed_done(session->feed);
    }
}

bool pm_session_takes_message(pm_session *session) {
    bool takes = pm_link_takes(session->link);
    session->counts.unsent += !takes && !session->link->over;
    return takes;
}

void pm_session_send_message(pm_session *session, const int16_t *pcm) {
    uint8_t payload[PM_PAYLOAD_MAX];
    (void)pm_session_encode(session, pcm, payload);
    pm_link_send(session->link, payload);
    session->counts.sent++;
}
