/* The rings between two threads, at full speed: what is read is whole and in order, what is lost is counted. */
#define _GNU_SOURCE 1

#include <pthread.h>
#include <string.h>

#include "check.h"
#include "engine_events.h"
#include "rx_ring.h"
#include "tap.h"

#define EVENTS 200000
#define FRAMES 50000

static pm_events events;

static void *tell_events(void *context) {
    (void)context;
    for (int64_t number = 0; number < EVENTS; number++) {
        pm_events_tell(&events, &(pm_engine_event){.value = number, .position = -number, .kind = PM_MARK_REACHED});
    }
    return NULL;
}

static void events_arrive_in_order_and_those_lost_are_counted(void) {
    static pm_engine_event memory[64];
    pm_engine_event copies[16];
    pthread_t thread;
    int64_t seen = 0;
    int64_t last = -1;
    pm_events_init(&events, 64, memory);
    CHECK(pm_events_memory(64) == sizeof memory);
    CHECK(pthread_create(&thread, NULL, tell_events, NULL) == 0);
    while (seen + (int64_t)atomic_load(&events.dropped) < EVENTS) {
        size_t count = pm_events_fetch(&events, copies, 16);
        for (size_t i = 0; i < count; i++) {
            CHECK(copies[i].value > last);
            CHECK(copies[i].position == -copies[i].value);
            last = copies[i].value;
        }
        seen += (int64_t)count;
    }
    pthread_join(thread, NULL);
    CHECK(pm_events_waiting(&events) == 0);
}

static pm_rx ring;

static void *write_frames(void *context) {
    (void)context;
    _Alignas(8) int16_t frame[160];
    for (int number = 0; number < FRAMES; number++) {
        for (int i = 0; i < 160; i++) frame[i] = (int16_t)(number % 30000);
        (void)pm_rx_write(&ring, frame);
    }
    return NULL;
}

static void blocks_are_whole_whatever_overtakes_their_reader(void) {
    _Alignas(8) static int16_t memory[PM_RX_FRAMES * 160];
    _Alignas(8) int16_t block[480];
    int64_t position = -1;
    int64_t last = -1;
    int64_t blocks = 0;
    pthread_t thread;
    pm_rx_init(&ring, memory, 160, 3);
    CHECK(pthread_create(&thread, NULL, write_frames, NULL) == 0);
    while (last < (FRAMES / 3 - 1) * 480) {
        if (!pm_rx_read(&ring, block, &position)) continue;
        CHECK(position > last && position % 480 == 0);
        for (int i = 0; i < 480; i++) CHECK(block[i] == (int16_t)((position / 160 + i / 160) % 30000));
        last = position;
        blocks++;
    }
    pthread_join(thread, NULL);
    CHECK(blocks + (int64_t)ring.dropped == FRAMES / 3);
    CHECK(!pm_rx_read(&ring, block, &position));
}

static pm_tap *tap;

static void *write_tap(void *context) {
    (void)context;
    int16_t caller[160];
    int16_t agent[160];
    for (int number = 0; number < FRAMES; number++) {
        for (int i = 0; i < 160; i++) {
            caller[i] = (int16_t)((number - PM_TAP_DELAY_FRAMES) % 30000);
            agent[i] = (int16_t)(number % 30000);
        }
        pm_tap_write(tap, (int64_t)number * 160, caller, agent);
    }
    pm_tap_end(tap);
    return NULL;
}

static void recorded_frames_are_aligned_and_holes_show_in_their_positions(void) {
    void *memory = NULL;
    int64_t frames = 0;
    int64_t last = -160;
    pthread_t thread;
    CHECK(posix_memalign(&memory, 64, pm_tap_memory(160, 20)) == 0);
    tap = pm_tap_init(memory, 160, 20);
    CHECK(pthread_create(&thread, NULL, write_tap, NULL) == 0);
    for (;;) {
        bool ended = pm_tap_has_ended(tap);
        uint32_t count = pm_tap_look(tap, 7);
        for (uint32_t i = 0; i < count; i++) {
            const pm_tap_frame *frame = pm_tap_at(tap, i);
            int64_t number = frame->position / 160;
            CHECK(frame->position > last);
            last = frame->position;
            for (int k = 0; k < 160; k++) {
                CHECK(frame->pcm[160 + k] == (int16_t)(number % 30000));
                /* The last two frames of the agent's have nothing of the caller's beside them. */
                CHECK(frame->pcm[k] == (number < FRAMES - PM_TAP_DELAY_FRAMES ? (int16_t)(number % 30000) : 0));
            }
        }
        pm_tap_done(tap, count);
        frames += count;
        if (ended && count == 0) break;
    }
    pthread_join(thread, NULL);
    CHECK(frames + (int64_t)atomic_load(&tap->dropped) == FRAMES);
    free(memory);
}

int main(void) {
    RUN(events_arrive_in_order_and_those_lost_are_counted);
    RUN(blocks_are_whole_whatever_overtakes_their_reader);
    RUN(recorded_frames_are_aligned_and_holes_show_in_their_positions);
    return 0;
}
