/* A call's peer says anything at any time: datagrams of all kinds into a session of each codec, and time that passes.
 *
 * An input is a codec and detectors (one octet), then records of: size (one octet), how long after the one before (one octet, 2 ms, modulo 16), the datagram.
 */
#define _GNU_SOURCE 1

#include <string.h>

#include "check.h"
#include "engine.h"
#include "fake_datagrams.h"
#include "fuzz.h"

#define PORT 100
#define MS 1000000ll
#define RECORDS 24

static pm_engine *engine;
static int64_t now = 1000000 * MS;

static void make(void) {
    pm_engine_setup setup = {.capacity = 1, .slots = 10, .events = 256, .socket = PORT, .event_fd = -1, .secret = 7};
    engine = pm_engine_make(&setup);
    CHECK(engine != NULL);
}

static void run_until(int64_t end_ns) {
    for (; now <= end_ns; now = pm_engine_run(engine, now)) network_now_ns = now;
}

static pm_session *open_call(uint8_t kind, const pm_socket_address *peer) {
    pm_session_setup setup = {.codec = (pm_codec_name)(kind % 4),
                              .idle_frames = true,
                              .event_payload_type = 101,
                              .block_frames = 3,
                              .own_socket = -1,
                              .peer_timeout_ms = 100,
                              .switches = kind >> 2 & 7};
    pm_session *session = pm_engine_open(engine, &setup);
    CHECK(session != NULL && pm_engine_connect(engine, session, peer) == PM_CONNECTED);
    return session;
}

static size_t deliver(const uint8_t *octets, size_t size, const pm_socket_address *peer) {
    size_t records = 0;
    int64_t at = now;
    while (size >= 2 && records < RECORDS) {
        size_t length = octets[0] <= size - 2 ? octets[0] : size - 2;
        at += octets[1] % 16 * 2 * MS;
        network_deliver(PORT, octets + 2, length, peer, at);
        octets += 2 + length;
        size -= 2 + length;
        records++;
    }
    run_until(at + 60 * MS);
    return records;
}

static void check(pm_session *session, size_t records) {
    static pm_engine_event events[256];
    _Alignas(8) int16_t block[5 * PM_FRAME_MAX];
    int64_t position;
    pm_session_counts counts = pm_session_counts_of(session);
    CHECK(counts.received + counts.garbage >= 0 && counts.received <= (int64_t)records);
    CHECK(counts.sent == pm_session_position(session) / session->codec.frame_samples + 1);
    CHECK(counts.jitter_depth >= 0 && counts.jitter_depth <= PM_JITTER_SMALL_SAMPLES);
    CHECK(counts.rtcp_fraction_lost >= 0 && counts.rtcp_fraction_lost <= 255);
    while (pm_rx_read(&session->rx, block, &position)) CHECK(position >= 0);
    for (size_t i = 0, found = pm_events_fetch(&engine->events, events, 256); i < found; i++) {
        CHECK(events[i].session == session->handle || events[i].session == 0);
        CHECK(events[i].position >= 0 && events[i].position <= pm_session_position(session) + PM_FRAME_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t size) {
    pm_socket_address peer;
    if (size < 1) return 0;
    if (engine == NULL) make();
    network_reset();
    CHECK(pm_socket_address_of("192.0.2.1", 4000, &peer));
    pm_session *session = open_call(octets[0], &peer);
    size_t records = deliver(octets + 1, size - 1, &peer);
    check(session, records);
    pm_engine_close(engine, session);
    pm_engine_obey(engine);
    CHECK(pm_engine_reap(engine) != PM_NO_SESSION && engine->slab.open == 0);
    (void)pm_events_fetch(&engine->events, (pm_engine_event[8]){0}, 8);
    return 0;
}
