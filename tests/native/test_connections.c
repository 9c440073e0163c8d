/* Sessions over AudioSocket, and those that are fed, in virtual time; their sockets are the system's. */
#define _GNU_SOURCE 1

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "engine.h"

#define MS 1000000ll
#define START (1000000 * MS)
#define FRAME (PM_AUDIOSOCKET_HEADER_SIZE + 320)

static pm_engine *engine;
static int64_t now;
static pm_link link_of_call;
static int peer;
static int ours;

static pm_session *open_session(pm_codec_name codec) {
    pm_engine_setup setup = {.capacity = 4, .slots = 10, .events = 4096, .socket = -1, .event_fd = -1, .secret = 7};
    pm_session_setup call = {.codec = codec, .idle_frames = true, .block_frames = 3, .own_socket = -1};
    now = START;
    engine = pm_engine_make(&setup);
    CHECK(engine != NULL);
    pm_session *session = pm_engine_open(engine, &call);
    CHECK(session != NULL);
    return session;
}

static pm_session *linked_by(pm_codec_name codec, int our_end, int peers_end) {
    pm_session *session = open_session(codec);
    ours = our_end;
    peer = peers_end;
    pm_link_init(&link_of_call, ours, codec, true);
    CHECK(pm_engine_link(engine, session, &link_of_call));
    return session;
}

static pm_session *linked(pm_codec_name codec) {
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    return linked_by(codec, ends[0], ends[1]);
}

/* By TCP, with a peer whose system keeps little for it; ours keeps as much as it likes. */
static pm_session *linked_by_tcp(pm_codec_name codec) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int small = 8192;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    int peers_end = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listening, (struct sockaddr *)&address, size) == 0 && listen(listening, 1) == 0);
    CHECK(getsockname(listening, (struct sockaddr *)&address, &size) == 0);
    CHECK(setsockopt(peers_end, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
    CHECK(connect(peers_end, (struct sockaddr *)&address, size) == 0);
    int our_end = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    CHECK(our_end >= 0 && close(listening) == 0);
    return linked_by(codec, our_end, peers_end);
}

static void run_until(int64_t end_ns) {
    while (now <= end_ns) now = pm_engine_run(engine, now);
}

static void unmake(void) {
    pm_engine_unmake(engine);
    if (peer > 0) close(peer);
    if (ours > 0) close(ours);
    peer = ours = 0;
}

static void say(uint8_t kind, const void *payload, size_t size) {
    uint8_t message[FRAME + 700];
    size_t header = pm_audiosocket_write_header(message, kind, size);
    if (size > 0) memcpy(message + header, payload, size);
    CHECK(write(peer, message, header + size) == (ssize_t)(header + size));
}

static void say_frame(int16_t level) {
    int16_t pcm[160];
    for (int i = 0; i < 160; i++) pcm[i] = level;
    say(PM_AUDIOSOCKET_SLIN, pcm, sizeof pcm);
}

/* Events of a kind among those that wait. */
static int told(pm_event_kind kind, pm_engine_event *last) {
    static pm_engine_event events[4096];
    int count = 0;
    size_t waiting = pm_events_fetch(&engine->events, events, 4096);
    for (size_t i = 0; i < waiting; i++) {
        if (events[i].kind != kind) continue;
        count++;
        if (last != NULL) *last = events[i];
    }
    return count;
}

/* Read the caller's audio and say at which frame a level was first heard; -1: never. */
static int first_heard(pm_session *session, int16_t level) {
    _Alignas(8) int16_t block[3 * PM_FRAME_MAX];
    int64_t position;
    int found = -1;
    while (pm_rx_read(&session->rx, block, &position)) {
        for (int i = 0; i < session->rx.block; i++) {
            if (block[i] == level && found < 0) found = (int)((position + i) / session->codec.frame_samples);
        }
    }
    return found;
}

static void both_sides_have_20_ms_in_each_beat(void) {
    uint8_t octets[2 * FRAME];
    pm_session *session = linked(PM_LINEAR);
    for (int n = 0; n < 100; n++) {
        say_frame((int16_t)(n + 1));
        run_until(START + (20 * n + 19) * MS);
        (void)first_heard(session, 0);
        CHECK(read(peer, octets, sizeof octets) == FRAME && memcmp(octets, "\x10\x01\x40", 3) == 0);
    }
    pm_session_counts counts = pm_session_counts_of(session);
    CHECK(counts.received == 100 && counts.sent == 100 && counts.unsent == 0 && counts.garbage == 0);
    CHECK(counts.concealed == 0 && counts.discarded == 0);
    unmake();
}

static void wideband_has_frames_of_its_own_kind(void) {
    uint8_t octets[4000];
    int16_t pcm[320];
    pm_session *session = linked(PM_LINEAR16);
    for (int i = 0; i < 320; i++) pcm[i] = 77;
    for (int n = 0; n < 6; n++) {
        say(PM_AUDIOSOCKET_SLIN16, pcm, sizeof pcm);
        run_until(START + (20 * n + 19) * MS);
    }
    CHECK(first_heard(session, 77) >= 0);
    CHECK(read(peer, octets, sizeof octets) == 6 * (3 + 640) && memcmp(octets, "\x12\x02\x80", 3) == 0);
    unmake();
}

static void a_stall_loses_nothing_of_the_callers_voice(void) {
    _Alignas(8) int16_t block[3 * PM_FRAME_MAX];
    int64_t position;
    pm_session *session = linked(PM_LINEAR);
    for (int n = 0; n < 10; n++) {
        say_frame(1);
        run_until(START + (20 * n + 19) * MS);
    }
    while (pm_rx_read(&session->rx, block, &position)) continue;
    for (int n = 0; n < 6; n++) say_frame((int16_t)(n + 100));
    now = pm_engine_run(engine, START + 310 * MS);
    pm_session_counts counts = pm_session_counts_of(session);
    CHECK(counts.received == 16 && counts.discarded == 0 && counts.skipped_frames == 4);
    CHECK(first_heard(session, 100) == 8); /* what came in the tenth beat counts as said two beats before */
    unmake();
}

/* What the peer has not taken yet of what it was sent. */
static int on_its_way(void) {
    int octets = 0;
    CHECK(ioctl(ours, SIOCOUTQ, &octets) == 0);
    return octets;
}

static void a_peer_that_does_not_read_gets_no_more_than_400_ms(void) {
    (void)linked_by_tcp(PM_LINEAR);
    run_until(START + 3999 * MS);
    CHECK(on_its_way() >= PM_LINK_UNSENT_FRAMES * FRAME && on_its_way() < (PM_LINK_UNSENT_FRAMES + 1) * FRAME);
    unmake();
}

static void a_system_that_takes_nothing_more_is_given_whole_frames_later(void) {
    static uint8_t octets[100 * FRAME];
    int small = 1;
    pm_session *session = linked(PM_LINEAR);
    CHECK(setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    run_until(START + 3999 * MS);
    pm_session_counts counts = pm_session_counts_of(session);
    CHECK(counts.sent + counts.unsent == 200 && counts.sent <= PM_LINK_UNSENT_FRAMES && counts.unsent >= 180);
    ssize_t came = read(peer, octets, sizeof octets);
    run_until(START + 4099 * MS);
    came += read(peer, octets + came, sizeof octets - (size_t)came);
    CHECK(came > 0 && came % FRAME == 0);
    for (ssize_t at = 0; at < came; at += FRAME) CHECK(memcmp(octets + at, "\x10\x01\x40", 3) == 0);
    CHECK(pm_session_counts_of(session).sent > counts.sent);
    unmake();
}

#define SPEECH 16000

/* Let two seconds be played, of samples that are 0x0505. */
static void speak(pm_session *session) {
    static uint8_t speech[2 * SPEECH];
    memset(speech, 5, sizeof speech);
    CHECK(pm_playout_push(&session->playout, speech, SPEECH, PM_FORM_PCM) == SPEECH);
}

/* Octets of that speech among those that have come; nothing else that is sent has a 5 in it. */
static int speech_that_came(void) {
    static uint8_t octets[100 * FRAME];
    struct pollfd readable = {.fd = peer, .events = POLLIN};
    int found = 0;
    if (poll(&readable, 1, 10) == 0) return 0;
    ssize_t came = recv(peer, octets, sizeof octets, MSG_DONTWAIT);
    for (ssize_t i = 0; i < came; i++) found += octets[i] == 5;
    return found;
}

static void what_a_peer_does_not_take_waits_and_counts_as_played_when_it_goes(void) {
    pm_session *session = linked_by_tcp(PM_LINEAR);
    int heard = 0;
    speak(session);
    run_until(START + 3999 * MS);
    pm_session_counts counts = pm_session_counts_of(session);
    CHECK(counts.unsent > 0 && counts.sent + counts.unsent == 200);
    CHECK(pm_playout_played(&session->playout) == 160 * counts.sent && told(PM_MARK_REACHED, NULL) == 0);
    for (int n = 0; n < 1000 && heard < 2 * SPEECH; n++) {
        heard += speech_that_came();
        run_until(now + 20 * MS);
    }
    CHECK(heard == 2 * SPEECH && pm_playout_played(&session->playout) == SPEECH);
    CHECK(told(PM_MARK_REACHED, NULL) == 1);
    unmake();
}

static void a_frame_that_was_taken_in_part_goes_on_where_it_stopped(void) {
    uint8_t octets[2 * FRAME];
    uint8_t payload[320] = {5, 6, 7};
    pm_session *session = linked(PM_LINEAR);
    memcpy(link_of_call.rest, "tail", 4);
    link_of_call.rest_size = 4;
    CHECK(pm_link_takes(&link_of_call));
    pm_link_send(&link_of_call, payload);
    CHECK(read(peer, octets, sizeof octets) == 4 + FRAME);
    CHECK(memcmp(octets, "tail\x10\x01\x40\5\6\7", 10) == 0);
    (void)session;
    unmake();
}

static void the_end_is_told_once_and_says_why(void) {
    static const struct {
        const char *octets;
        size_t size;
        uint16_t why;
    } ends[] = {{"", 0, PM_GONE_CLOSED},
                {"\x00\x00\x00", 3, PM_GONE_HUNG_UP},
                {"\xff\x00\x01\x01", 4, PM_GONE_FAILED},
                {"\x10\xff\xff", 3, PM_GONE_LOST_ITS_PLACE}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        pm_engine_event event;
        pm_session *session = linked(PM_LINEAR);
        speak(session);
        say_frame(1);
        run_until(START + 100 * MS);
        CHECK(told(PM_PEER_GONE, NULL) == 0);
        CHECK(write(peer, ends[i].octets, ends[i].size) == (ssize_t)ends[i].size);
        close(peer);
        peer = 0;
        run_until(START + 300 * MS);
        CHECK(told(PM_PEER_GONE, &event) == 1 && event.code == ends[i].why && event.session == session->handle);
        pm_session_counts counts = pm_session_counts_of(session);
        CHECK(counts.received == 1 && counts.unsent == 0);
        CHECK(counts.sent < 10 && pm_playout_played(&session->playout) == 160 * counts.sent);
        unmake();
    }
}

static void closing_hangs_up_behind_what_was_sent(void) {
    uint8_t octets[10 * FRAME];
    pm_session *session = linked(PM_LINEAR);
    run_until(START + 39 * MS);
    pm_engine_close(engine, session);
    pm_engine_obey(engine);
    CHECK(read(peer, octets, sizeof octets) == 2 * FRAME + 3);
    CHECK(memcmp(octets + 2 * FRAME, "\0\0\0", 3) == 0);
    CHECK(pm_engine_reap(engine) != PM_NO_SESSION);
    unmake();
}

static void keys_are_told_where_they_are_for_us(void) {
    for (int ours_to_tell = 0; ours_to_tell < 2; ours_to_tell++) {
        pm_engine_event event;
        pm_session *session = linked(PM_LINEAR);
        link_of_call.tells_keys = ours_to_tell == 1;
        say(PM_AUDIOSOCKET_KEY, "7", 1);
        run_until(START + 40 * MS);
        CHECK(told(PM_DIGIT_PRESSED, &event) == ours_to_tell);
        CHECK(pm_session_counts_of(session).unexpected == 1 - ours_to_tell);
        if (ours_to_tell == 1) CHECK(event.code == '7' && event.value == PM_KEY_BY_MESSAGE);
        unmake();
    }
}

static void a_flood_is_read_a_little_in_each_beat(void) {
    uint8_t flood[3 * 4096];
    pm_session *session = linked(PM_LINEAR);
    memset(flood, 0, sizeof flood);
    for (size_t at = 0; at + 3 <= sizeof flood; at += 3) flood[at] = 0x42; /* a message that nobody knows */
    size_t written = 0;
    for (ssize_t taken; (taken = write(peer, flood, sizeof flood)) > 0;) written += (size_t)taken;
    CHECK(errno == EAGAIN && written > 2 * PM_LINK_READS * PM_LINK_READ);
    now = pm_engine_run(engine, now);
    run_until(START + 19 * MS);
    int64_t read = pm_session_counts_of(session).garbage;
    CHECK(read >= PM_LINK_READS * PM_LINK_READ / 3 - 1 && read <= PM_LINK_READS * PM_LINK_READ / 3 + 1);
    unmake();
}

static void what_is_handed_over_is_heard_when_it_came(void) {
    int16_t pcm[480];
    pm_session *session = open_session(PM_LINEAR);
    void *memory = NULL;
    CHECK(posix_memalign(&memory, 64, pm_feed_memory(PM_LINEAR)) == 0);
    pm_feed *feed = pm_feed_init(memory, PM_LINEAR);
    CHECK(pm_engine_feed(engine, session, feed));
    for (int n = 0; n < 50; n++) {
        for (int i = 0; i < 160; i++) pcm[i] = (int16_t)(n + 1);
        pm_feed_put(feed, (const uint8_t *)pcm, 320, now);
        run_until(START + (20 * n + 19) * MS);
    }
    pm_session_counts counts = pm_session_counts_of(session);
    CHECK(counts.received == 50 && counts.concealed == 0 && counts.sent == 0 && counts.skipped_frames == 0);
    pm_feed_put(feed, (const uint8_t *)pcm, 3, now);
    pm_feed_put(feed, (const uint8_t *)pcm, 0, now);
    CHECK(feed->garbage == 1);
    for (int n = 0; n < 100; n++) pm_feed_put(feed, (const uint8_t *)pcm, 320, now + 5000 * MS);
    CHECK(feed->dropped == 100 - PM_FEED_PIECES);
    run_until(START + 1100 * MS);
    CHECK(pm_session_counts_of(session).received == 50); /* the others are still to come */
    pm_engine_close(engine, session);
    pm_engine_obey(engine);
    free(memory);
    unmake();
}

int main(void) {
    RUN(both_sides_have_20_ms_in_each_beat);
    RUN(wideband_has_frames_of_its_own_kind);
    RUN(a_stall_loses_nothing_of_the_callers_voice);
    RUN(a_peer_that_does_not_read_gets_no_more_than_400_ms);
    RUN(a_system_that_takes_nothing_more_is_given_whole_frames_later);
    RUN(what_a_peer_does_not_take_waits_and_counts_as_played_when_it_goes);
    RUN(a_frame_that_was_taken_in_part_goes_on_where_it_stopped);
    RUN(the_end_is_told_once_and_says_why);
    RUN(closing_hangs_up_behind_what_was_sent);
    RUN(keys_are_told_where_they_are_for_us);
    RUN(a_flood_is_read_a_little_in_each_beat);
    RUN(what_is_handed_over_is_heard_when_it_came);
    return 0;
}
