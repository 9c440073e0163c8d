/* The engine on its thread with real sockets, while another thread uses everything that it offers: for ThreadSanitizer. */
#define _GNU_SOURCE 1

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"

#define CALLS 12
#define RUN_NS 1500000000ll

typedef enum { BY_RTP, BY_LINK, BY_FEED, WAYS } way;

/* One call as its owner sees it; audio, taps, links and feeds live until the place has been reaped. */
typedef struct {
    uint64_t handle;
    way way;
    uint32_t place; /* of the newest session */
    int phone;
    pm_socket_address address;
    pm_tap *tap;
} call;

static pm_engine *engine;
static call calls[CALLS];
static pm_tap *taps_by_number[4 * CALLS];
static pm_feed *feeds_by_number[4 * CALLS];
static pm_link links_by_number[4 * CALLS];
static int ends_by_number[4 * CALLS][2]; /* ours and the peer's of a link */
static const int16_t audio[16000] = {1, 2, 3};
static uint32_t chance = 2463534242u;

static int64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int udp_socket(pm_socket_address *address) {
    socklen_t size = sizeof *address;
    int made = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(made >= 0 && pm_socket_address_of("127.0.0.1", 0, address));
    CHECK(bind(made, &address->any, sizeof address->ipv4) == 0);
    CHECK(getsockname(made, &address->any, &size) == 0);
    return made;
}

static void reap(void) {
    uint32_t number;
    while ((number = pm_engine_reap(engine)) != PM_NO_SESSION) {
        free(taps_by_number[number]);
        taps_by_number[number] = NULL;
        free(feeds_by_number[number]);
        feeds_by_number[number] = NULL;
        for (int end = 0; end < 2; end++) {
            if (ends_by_number[number][end] > 0) close(ends_by_number[number][end]);
            ends_by_number[number][end] = 0;
        }
    }
}

static void start_link(pm_session *session) {
    int *ends = ends_by_number[session->number];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    pm_link_init(&links_by_number[session->number], ends[0], session->setup.codec, true);
    CHECK(pm_engine_link(engine, session, &links_by_number[session->number]));
}

static void start_feed(pm_session *session) {
    void *memory = NULL;
    CHECK(posix_memalign(&memory, 64, pm_feed_memory(session->setup.codec)) == 0);
    feeds_by_number[session->number] = pm_feed_init(memory, session->setup.codec);
    CHECK(pm_engine_feed(engine, session, memory));
}

static void open_call(call *of) {
    pm_codec_name codec = (pm_codec_name)(next_random(&chance) % PM_RTP_CODECS);
    if (of->way != BY_RTP) codec = next_random(&chance) & 1 ? PM_LINEAR : PM_LINEAR16;
    pm_session_setup setup = {.codec = codec,
                              .idle_frames = true,
                              .event_payload_type = 101,
                              .block_frames = 3,
                              .own_socket = -1,
                              .switches = next_random(&chance) & 7};
    pm_session *session = pm_engine_open(engine, &setup);
    if (session == NULL) return; /* those that were closed are still being let go of */
    of->handle = session->handle;
    of->place = session->number;
    switch (of->way) {
        case BY_LINK: start_link(session); break;
        case BY_FEED: start_feed(session); break;
        default: CHECK(pm_engine_connect(engine, session, &of->address) == PM_CONNECTED);
    }
}

static void record(pm_session *session, call *of) {
    void *memory = NULL;
    if (taps_by_number[session->number] != NULL) return;
    CHECK(posix_memalign(&memory, 64, pm_tap_memory(session->codec.frame_samples, 10)) == 0);
    of->tap = pm_tap_init(memory, session->codec.frame_samples, 10);
    taps_by_number[session->number] = of->tap;
    CHECK(pm_engine_tap(engine, session, of->tap));
}

static void use(pm_session *session, call *of) {
    _Alignas(8) int16_t block[5 * PM_FRAME_MAX];
    int64_t position;
    switch (next_random(&chance) % 10) {
        case 0: pm_playout_clear(&session->playout); break;
        case 1: pm_session_set_alarm(session, pm_session_position(session) + 1000); break;
        case 2: pm_session_switch(session, next_random(&chance) & 7); break;
        case 3: record(session, of); break;
        case 4:
            if (next_random(&chance) % 20 == 0) {
                pm_engine_close(engine, session);
                of->handle = 0;
            }
            break;
        case 5: {
            pm_session_counts counts = pm_session_counts_of(session);
            CHECK(counts.sent >= 0 && counts.received >= 0);
            break;
        }
        case 6: (void)pm_rx_read(&session->rx, block, &position); break;
        default:
            (void)pm_playout_push(&session->playout, (const uint8_t *)audio,
                                  (int32_t)(next_random(&chance) % 4000), PM_FORM_PCM);
            CHECK(pm_playout_queued(&session->playout) >= 0);
    }
}

static void say_something(const call *of, const pm_socket_address *to) {
    uint8_t packet[PM_RTP_HEADER_SIZE + 160] = {0};
    static uint16_t sequence;
    pm_rtp_write_header(packet, (uint8_t)(next_random(&chance) % 12), false, sequence, sequence * 160u, 5);
    sequence++;
    (void)sendto(of->phone, packet, sizeof packet, MSG_DONTWAIT, &to->any, sizeof to->ipv4);
    while (recv(of->phone, packet, sizeof packet, MSG_DONTWAIT) > 0) continue;
}

/* A message of any kind, now and then only a part of it, and everything that has come. */
static void say_by_link(int peer) {
    uint8_t octets[4096];
    size_t size = next_random(&chance) % 700;
    memset(octets, 0, sizeof octets);
    (void)pm_audiosocket_write_header(octets, (uint8_t[]){0x10, 0x12, 0x03, 0x42}[next_random(&chance) % 4], size);
    (void)!write(peer, octets, next_random(&chance) % 50 == 0 ? size / 2 : size + PM_AUDIOSOCKET_HEADER_SIZE);
    if (next_random(&chance) % 4 == 0) (void)!read(peer, octets, sizeof octets);
}

static void say(const call *of, const pm_socket_address *to) {
    bool open = pm_slab_find(&engine->slab, of->handle) != NULL;
    switch (of->way) {
        case BY_LINK:
            if (open) say_by_link(ends_by_number[of->place][1]);
            break;
        case BY_FEED:
            if (open) pm_feed_put(feeds_by_number[of->place], (const uint8_t *)audio, 640, monotonic_ns());
            break;
        default: say_something(of, to);
    }
}

static void both_threads_do_everything_at_once(void) {
    pm_engine_event events[256];
    pm_socket_address address;
    int event_fd = eventfd(0, EFD_NONBLOCK);
    int port = udp_socket(&address);
    pm_engine_setup setup = {
        .capacity = CALLS, .slots = 10, .events = 512, .socket = port, .event_fd = event_fd, .secret = 3};
    engine = pm_engine_make(&setup);
    for (int i = 0; i < CALLS; i++) {
        calls[i].way = (way)(i % WAYS);
        calls[i].phone = udp_socket(&calls[i].address);
    }
    CHECK(pm_engine_start(engine, -1, 10) == 0);
    for (int64_t end = monotonic_ns() + RUN_NS; monotonic_ns() < end;) {
        struct pollfd wanted = {event_fd, POLLIN, 0};
        uint64_t wakes;
        if (poll(&wanted, 1, 1) == 1) CHECK(read(event_fd, &wakes, sizeof wakes) == sizeof wakes);
        (void)pm_events_fetch(&engine->events, events, 256);
        (void)pm_engine_stats_of(engine);
        (void)pm_histogram_quantile(&engine->lateness, 0.99);
        reap();
        for (int i = 0; i < CALLS; i++) {
            pm_session *session = pm_slab_find(&engine->slab, calls[i].handle);
            if (session == NULL) {
                open_call(&calls[i]);
            } else {
                use(session, &calls[i]);
            }
            say(&calls[i], &address);
        }
    }
    pm_engine_stop(engine);
    for (int i = 0; i < CALLS; i++) {
        pm_session *session = pm_slab_find(&engine->slab, calls[i].handle);
        if (session != NULL) pm_engine_close(engine, session);
        close(calls[i].phone);
    }
    pm_engine_obey(engine);
    reap();
    for (int i = 0; i < 4 * CALLS; i++) CHECK(taps_by_number[i] == NULL && feeds_by_number[i] == NULL);
    CHECK(pm_engine_stats_of(engine).ticks > 100);
    pm_engine_unmake(engine);
    close(port);
    close(event_fd);
}

static void it_starts_and_stops_any_number_of_times(void) {
    pm_socket_address address;
    int port = udp_socket(&address);
    pm_engine_setup setup = {.capacity = 2, .slots = 10, .events = 64, .socket = port, .event_fd = -1, .secret = 3};
    for (int round = 0; round < 200; round++) {
        engine = pm_engine_make(&setup);
        CHECK(pm_engine_start(engine, -1, 10) == 0);
        pm_engine_stop(engine);
        CHECK(pm_engine_start(engine, -1, 0) == 0);
        pm_engine_stop(engine);
        pm_engine_unmake(engine);
    }
    close(port);
}

int main(void) {
    RUN(both_threads_do_everything_at_once);
    RUN(it_starts_and_stops_any_number_of_times);
    return 0;
}
