/* A call's peer says anything over AudioSocket, split anyhow; or a message of any length is handed over.
 *
 * An input is a way and a codec (one octet), then records of: size (one octet), how long after the one before (one octet,
 * 2 ms, modulo 16), the octets.
 */
#define _GNU_SOURCE 1

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"
#include "fuzz.h"

#define MS 1000000ll
#define RECORDS 24

static pm_engine *engine;
static int64_t now = 1000000 * MS;
static pm_link connection;
static pm_feed *feed;
static void *feed_memory;
static int ends[2];

static void make(void) {
    pm_engine_setup setup = {.capacity = 1, .slots = 10, .events = 1024, .socket = -1, .event_fd = -1, .secret = 7};
    engine = pm_engine_make(&setup);
    CHECK(engine != NULL && posix_memalign(&feed_memory, 64, pm_feed_memory(PM_LINEAR16)) == 0);
}

static void run_until(int64_t end_ns) {
    while (now <= end_ns) now = pm_engine_run(engine, now);
}

static pm_session *open_call(uint8_t way) {
    pm_codec_name codec = way & 1 ? PM_LINEAR : PM_LINEAR16;
    pm_session_setup setup = {.codec = codec, .idle_frames = true, .block_frames = 3, .own_socket = -1};
    pm_session *session = pm_engine_open(engine, &setup);
    CHECK(session != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    if (way & 2) {
        feed = pm_feed_init(feed_memory, codec);
        CHECK(pm_engine_feed(engine, session, feed));
    } else {
        pm_link_init(&connection, ends[0], codec, way & 4);
        CHECK(pm_engine_link(engine, session, &connection));
    }
    return session;
}

static void deliver(uint8_t way, const uint8_t *octets, size_t size) {
    for (int records = 0; size >= 2 && records < RECORDS; records++) {
        size_t length = octets[0] <= size - 2 ? octets[0] : size - 2;
        if (way & 2) {
            pm_feed_put(feed, octets + 2, length, now);
        } else {
            (void)!write(ends[1], octets + 2, length);
        }
        run_until(now + octets[1] % 16 * 2 * MS);
        octets += 2 + length;
        size -= 2 + length;
    }
    run_until(now + 60 * MS);
}

static void check(pm_session *session) {
    static pm_engine_event events[1024];
    _Alignas(8) int16_t block[5 * PM_FRAME_MAX];
    int64_t position;
    int gone = 0;
    pm_session_counts counts = pm_session_counts_of(session);
    CHECK(counts.received >= 0 && counts.garbage >= 0 && counts.unexpected >= 0);
    CHECK(counts.jitter_depth >= 0 && counts.jitter_depth <= PM_JITTER_SMALL_SAMPLES);
    while (pm_rx_read(&session->rx, block, &position)) CHECK(position >= 0);
    for (size_t i = 0, found = pm_events_fetch(&engine->events, events, 1024); i < found; i++) {
        CHECK(events[i].position >= 0 && events[i].position <= pm_session_position(session) + PM_FRAME_MAX);
        gone += events[i].kind == PM_PEER_GONE;
    }
    CHECK(gone <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t size) {
    if (size < 1) return 0;
    if (engine == NULL) make();
    pm_session *session = open_call(octets[0]);
    deliver(octets[0], octets + 1, size - 1);
    check(session);
    pm_engine_close(engine, session);
    pm_engine_obey(engine);
    CHECK(pm_engine_reap(engine) != PM_NO_SESSION && engine->slab.open == 0);
    (void)pm_events_fetch(&engine->events, (pm_engine_event[8]){0}, 8);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
