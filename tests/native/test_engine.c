/* The engine in virtual time: slots, stalls, ports, hostile datagrams. */
#define _GNU_SOURCE 1

#include <string.h>

#include "check.h"
#include "engine.h"
#include "fake_datagrams.h"

#define SHARED 100
#define OWN 200
#define MS 1000000ll
#define START (1000000 * MS)

static pm_engine *engine;
static int64_t now;

static void make_with(uint32_t slots, int socket, uint32_t events) {
    pm_engine_setup setup = {
        .capacity = 40, .slots = slots, .events = events, .socket = socket, .event_fd = -1, .secret = 7};
    network_reset();
    now = START;
    engine = pm_engine_make(&setup);
    CHECK(engine != NULL);
}

static void make(uint32_t slots, int socket) { make_with(slots, socket, 4096); }

static pm_socket_address peer_of(int number) {
    pm_socket_address address;
    CHECK(pm_socket_address_of("192.0.2.1", (uint16_t)(4000 + number), &address));
    return address;
}

static pm_session *call(int number, int own_socket) {
    pm_session_setup setup = {.codec = PM_ULAW,
                              .idle_frames = true,
                              .event_payload_type = 101,
                              .block_frames = 3,
                              .own_socket = own_socket,
                              .switches = PM_SWITCH_DTMF | PM_SWITCH_TONES | PM_SWITCH_CALLEE};
    pm_session *session = pm_engine_open(engine, &setup);
    pm_socket_address peer = peer_of(number);
    CHECK(session != NULL && pm_engine_connect(engine, session, &peer) == PM_CONNECTED);
    return session;
}

/* Packet n of a peer, to arrive at a time. */
static void talk(int socket, int number, int n, int64_t at_ns) {
    uint8_t packet[PM_RTP_HEADER_SIZE + 160];
    pm_socket_address peer = peer_of(number);
    pm_rtp_write_header(packet, 0, false, (uint16_t)n, (uint32_t)n * 160, 9);
    memset(packet + PM_RTP_HEADER_SIZE, 0x20, 160);
    network_deliver(socket, packet, sizeof packet, &peer, at_ns);
}

/* Let time pass, the engine being run whenever it is due. */
static void run_until(int64_t end_ns) {
    while (now <= end_ns) {
        network_now_ns = now;
        now = pm_engine_run(engine, now);
    }
}

static void stall_until(int64_t end_ns) {
    network_now_ns = end_ns;
    now = pm_engine_run(engine, end_ns);
}

static void unmake(void) {
    pm_engine_unmake(engine);
    network_reset();
}

static void sessions_are_spread_over_the_slots_and_each_sends_every_20_ms(void) {
    make(10, SHARED);
    for (int number = 0; number < 40; number++) (void)call(number, -1);
    run_until(START + 199 * MS);
    CHECK(sent_count == 400);
    for (size_t i = 0; i < sent_count; i++) {
        size_t group = 0;
        int64_t before = -1;
        for (size_t k = 0; k < sent_count; k++) {
            group += sent[k].at_ns == sent[i].at_ns;
            if (k < i && sent[k].receiver.ipv4.sin_port == sent[i].receiver.ipv4.sin_port) before = sent[k].at_ns;
        }
        CHECK(group == 4);
        CHECK(before < 0 || sent[i].at_ns - before == 20 * MS);
        CHECK(sent[i].socket == SHARED);
    }
    unmake();
}

static void nothing_is_lost_or_delayed_by_a_stall(int socket) {
    make(10, SHARED);
    pm_session *session = call(1, socket);
    int port = socket < 0 ? SHARED : socket;
    for (int n = 0; n < 70; n++) talk(port, 1, n, START + (5 + 20 * n) * MS);
    run_until(START + 400 * MS);
    stall_until(START + 1001 * MS);
    run_until(START + 1400 * MS);
    pm_session_counts counts = pm_session_counts_of(session);
    CHECK(counts.received == 70 && counts.lost == 0 && counts.late == 0);
    CHECK(counts.concealed == 0 && counts.discarded == 0 && counts.duplicate == 0);
    CHECK(counts.skipped_frames >= 27 && counts.skipped_frames <= 29);
    CHECK(counts.late_beats >= 29 && counts.late_beats <= 31);
    CHECK(pm_session_position(session) == 70 * 160);
    CHECK(counts.jitter_target <= 160);
    unmake();
}

static void a_stall_loses_nothing_on_the_shared_port(void) { nothing_is_lost_or_delayed_by_a_stall(-1); }

static void a_stall_loses_nothing_on_a_port_of_its_own(void) { nothing_is_lost_or_delayed_by_a_stall(OWN); }

static void two_frames_are_sent_after_a_stall_and_the_clock_is_true(void) {
    make(10, SHARED);
    pm_session *session = call(1, -1);
    static const uint8_t audio[32000];
    CHECK(pm_playout_push(&session->playout, audio, 16000, PM_FORM_PCM) == 16000);
    run_until(START + 99 * MS);
    size_t before = sent_count;
    stall_until(START + 501 * MS);
    CHECK(sent_count - before == PM_BURST_FRAMES);
    CHECK(pm_playout_played(&session->playout) == (int64_t)sent_count * 160);
    CHECK(pm_session_position(session) == 25 * 160);
    unmake();
}

static void a_port_of_ones_own_takes_its_peer_alone(void) {
    make(10, -1);
    pm_session *session = call(1, OWN);
    talk(OWN, 1, 0, START); /* before the connection is carried out: nobody can say whose it is */
    network_now_ns = START;
    for (int n = 1; n < 20; n++) {
        talk(OWN, 1, n, START + 20 * n * MS);
        talk(OWN, 2, n, START + 20 * n * MS);
    }
    run_until(START + 500 * MS);
    pm_session_counts counts = pm_session_counts_of(session);
    CHECK(counts.received >= 19 && counts.strangers == 19);
    for (size_t i = 0; i < sent_count; i++) CHECK(sent[i].socket == OWN);
    unmake();
}

static void what_waits_at_a_port_of_ones_own_is_heard_in_no_other_call(void) {
    make(1, -1);
    pm_session *session = call(1, OWN);
    pm_session *other = call(1, OWN + 1); /* a NAT gives both the same address */
    run_until(START + 99 * MS);
    network_fetches_most = 40;
    for (int n = 0; n < 200; n++) talk(OWN, 1, n, now);
    run_until(START + 599 * MS);
    CHECK(pm_session_counts_of(session).received == 200);
    CHECK(pm_session_counts_of(other).received == 0);
    unmake();
}

static void what_came_before_a_session_had_the_address_is_not_for_it(void) {
    make(10, SHARED);
    pm_session *before = call(1, -1);
    run_until(START + 99 * MS);
    for (int n = 0; n < 3; n++) talk(SHARED, 1, n, now - 1);
    pm_engine_close(engine, before);
    pm_session *session = call(1, -1);
    for (int n = 3; n < 5; n++) talk(SHARED, 1, n, now + n * 20 * MS);
    run_until(START + 399 * MS);
    CHECK(pm_session_counts_of(session).received == 2);
    CHECK(pm_engine_stats_of(engine).strangers == 3);
    unmake();
}

static void a_reader_who_stands_still_misses_no_mark_and_no_alarm(void) {
    static const uint8_t audio[32000];
    int marks = 0, alarms = 0, blocks = 0;
    make_with(10, SHARED, 128);
    for (int number = 0; number < 10; number++) {
        pm_session *session = call(number, -1);
        CHECK(pm_playout_push(&session->playout, audio, 16000, PM_FORM_PCM) == 16000);
        pm_session_set_alarm(session, 8 * 8000);
    }
    run_until(START + 10000 * MS);
    pm_engine_event told[128];
    size_t count = pm_events_fetch(&engine->events, told, 128);
    for (size_t i = 0; i < count; i++) {
        marks += told[i].kind == PM_MARK_REACHED;
        alarms += told[i].kind == PM_ALARM_REACHED;
        blocks += told[i].kind == PM_BLOCK_READY;
    }
    CHECK(marks == 10 && alarms == 10 && blocks > 0);
    CHECK(pm_engine_stats_of(engine).dropped_events == 0);
    unmake();
}

static void an_alarm_that_cannot_be_told_rings_later(void) {
    static const uint8_t audio[320];
    pm_engine_event told[8];
    int alarms = 0;
    make_with(10, SHARED, 4);
    pm_session *session = call(1, -1);
    for (int piece = 0; piece < 5; piece++) CHECK(pm_playout_push(&session->playout, audio, 160, PM_FORM_PCM) > 0);
    pm_session_set_alarm(session, 8000);
    run_until(START + 2000 * MS);
    for (int look = 0; look < 2; look++) {
        size_t count = pm_events_fetch(&engine->events, told, 8);
        for (size_t i = 0; i < count; i++) alarms += told[i].kind == PM_ALARM_REACHED;
        CHECK(alarms == look);
        run_until(now + 20 * MS);
    }
    unmake();
}

static void time_that_is_lost_is_no_silence_of_the_peer(void) {
    make(10, SHARED);
    pm_session *session = call(1, -1);
    for (int n = 0; n < 50; n++) talk(SHARED, 1, n, START + (5 + 20 * n) * MS);
    run_until(START + 1000 * MS);
    stall_until(START + 16000 * MS);
    CHECK(pm_engine_stats_of(engine).lost_ms >= 14900);
    int64_t resumed = now;
    for (int n = 50; n < 100; n++) talk(SHARED, 1, n, resumed + 20 * (n - 50) * MS);
    run_until(resumed + 6000 * MS);
    int64_t silent_ms = pm_session_peer_silent(session) / 8;
    CHECK(silent_ms >= 4980 && silent_ms <= 5060);
    unmake();
}

static void refused_packets_are_counted(void) {
    make(10, SHARED);
    pm_session *session = call(1, -1);
    network_refuses = true;
    run_until(START + 99 * MS);
    network_refuses = false;
    run_until(START + 199 * MS);
    pm_session_counts counts = pm_session_counts_of(session);
    CHECK(counts.unsent == 5 && counts.sent == 5);
    CHECK(pm_engine_stats_of(engine).unsent == 5);
    unmake();
}

/* Every length, every kind of damage, in memory of exactly that size. */
static void hostile_datagrams_are_read_to_their_end_and_no_further(void) {
    uint8_t octets[400];
    uint32_t chance = 4711;
    pm_socket_address peer = peer_of(1);
    make(10, SHARED);
    pm_session *session = call(1, -1);
    int64_t at = START;
    for (int round = 0; round < 15000; round++) {
        size_t size = next_random(&chance) % sizeof octets;
        for (size_t i = 0; i < sizeof octets; i++) octets[i] = (uint8_t)next_random(&chance);
        if (round % 4 != 0) pm_rtp_write_header(octets, round % 3 == 0 ? 101 : 0, false, (uint16_t)round, 0, 9);
        if (round % 4 == 2) octets[0] = (uint8_t)(0x80 | (next_random(&chance) & 0x3F));
        if (round % 4 == 3) octets[1] = (uint8_t)(192 + (next_random(&chance) & 31)); /* RTCP, or nearly */
        network_deliver(SHARED, octets, size, &peer, at);
        at += MS / 10;
    }
    run_until(at + 100 * MS);
    pm_session_counts counts = pm_session_counts_of(session);
    CHECK(counts.garbage > 1000 && counts.received > 1000);
    CHECK(pm_engine_stats_of(engine).received == 15000);
    unmake();
}

static void calls_come_and_go_and_their_places_are_used_again(void) {
    uint32_t chance = 1;
    uint64_t handles[40] = {0};
    make(10, SHARED);
    for (int round = 0; round < 20000; round++) {
        int number = (int)(next_random(&chance) % 40);
        pm_session *session = pm_slab_find(&engine->slab, handles[number]);
        CHECK((session != NULL) == (handles[number] != 0));
        if (session != NULL) {
            pm_engine_close(engine, session);
            CHECK(pm_slab_find(&engine->slab, handles[number]) == NULL);
            handles[number] = 0;
        } else if ((session = call(number, -1)) != NULL) {
            handles[number] = session->handle;
        }
        if (round % 5 == 0) {
            pm_engine_obey(engine);
            while (pm_engine_reap(engine) != PM_NO_SESSION) continue;
        }
        if (round % 50 == 0) {
            sent_count = 0;
            run_until(now + 19 * MS);
            CHECK(sent_count == engine->slab.open);
        }
    }
    unmake();
}

int main(void) {
    RUN(sessions_are_spread_over_the_slots_and_each_sends_every_20_ms);
    RUN(a_stall_loses_nothing_on_the_shared_port);
    RUN(a_stall_loses_nothing_on_a_port_of_its_own);
    RUN(two_frames_are_sent_after_a_stall_and_the_clock_is_true);
    RUN(a_port_of_ones_own_takes_its_peer_alone);
    RUN(what_waits_at_a_port_of_ones_own_is_heard_in_no_other_call);
    RUN(what_came_before_a_session_had_the_address_is_not_for_it);
    RUN(a_reader_who_stands_still_misses_no_mark_and_no_alarm);
    RUN(an_alarm_that_cannot_be_told_rings_later);
    RUN(time_that_is_lost_is_no_silence_of_the_peer);
    RUN(refused_packets_are_counted);
    RUN(hostile_datagrams_are_read_to_their_end_and_no_further);
    RUN(calls_come_and_go_and_their_places_are_used_again);
    return 0;
}
