/* Playout between two threads, at full speed: frames and clears meet at every point, and no count is ever wrong. */
#define _GNU_SOURCE 1

#include <pthread.h>
#include <string.h>

#include "check.h"
#include "playout.h"

#define ROUNDS 300000
#define FRAME 160

static pm_playout playout;
static pm_piece pieces[PM_PLAYOUT_PIECES];
static _Atomic bool finished;
static _Atomic int64_t all; /* samples, once it is finished */
/* What the media thread has seen; read after it has ended. */
static int64_t samples_taken;
static int64_t last_mark;
static int64_t marks_reached;

static void *take_frames(void *context) {
    (void)context;
    int16_t pcm[FRAME];
    pm_playout_frame frame;
    while (!atomic_load(&finished) || pm_playout_played(&playout) < atomic_load(&all)) {
        pm_playout_take(&playout, pcm, &frame);
        CHECK(frame.played >= 0 && frame.played <= FRAME);
        CHECK(frame.started_at < FRAME);
        samples_taken += frame.played;
        for (int i = frame.played; frame.payload == NULL && i < FRAME; i++) CHECK(pcm[i] == 0);
        for (int i = 0; i < frame.marks; i++) {
            /* A mark is what has been played when its last sample has been taken. */
            CHECK(frame.reached[i].mark == samples_taken - frame.played + frame.reached[i].offset);
            CHECK(frame.reached[i].mark >= last_mark);
            last_mark = frame.reached[i].mark;
            marks_reached++;
        }
    }
    pm_playout_take(&playout, pcm, &frame);
    return NULL;
}

/* Audio that must not be read after it has been let go of: a sanitizer sees it. */
#define KEPT (2 * PM_PLAYOUT_PIECES) /* places come free between free_released() and push() */
typedef struct {
    int16_t *audio[KEPT];
    uint32_t pushed;
    uint32_t freed;
} store;

static void free_released(store *kept) {
    uint32_t released = pm_playout_released(&playout);
    for (; kept->freed != released; kept->freed++) free(kept->audio[kept->freed % KEPT]);
}

static int64_t push(store *kept, int32_t samples, int16_t value) {
    int16_t *audio = malloc((size_t)samples * sizeof *audio + 1);
    for (int32_t i = 0; i < samples; i++) audio[i] = value;
    int64_t mark = pm_playout_push(&playout, (const uint8_t *)audio, samples, PM_FORM_PCM);
    if (mark < 0) {
        free(audio);
    } else {
        kept->audio[kept->pushed++ % KEPT] = audio;
    }
    return mark;
}

static void marks_and_counts_are_exact_however_frames_and_clears_meet(void) {
    static store kept;
    uint32_t chance = 12345;
    int64_t mark = 0;
    pthread_t thread;
    pm_playout_init(&playout, 8000, FRAME, pieces);
    CHECK(pthread_create(&thread, NULL, take_frames, NULL) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t number = next_random(&chance);
        free_released(&kept);
        if (number % 7 == 0) {
            pm_playout_clear(&playout);
            CHECK(pm_playout_queued(&playout) >= 0 && pm_playout_queued(&playout) <= 40);
        } else {
            int64_t queued = push(&kept, (int32_t)(number >> 8 & 0xFF), (int16_t)(number >> 16 | 1));
            if (queued >= 0) mark = queued;
        }
        CHECK(pm_playout_played(&playout) <= playout.accepted);
    }
    pm_playout_clear(&playout);
    do {
        free_released(&kept);
        mark = push(&kept, 100, 1);
    } while (mark < 0);
    atomic_store(&all, mark);
    atomic_store(&finished, true);
    pthread_join(thread, NULL);
    CHECK(pm_playout_played(&playout) == mark);
    CHECK(samples_taken == mark && last_mark == mark && marks_reached > 0);
    free_released(&kept);
    CHECK(kept.freed == kept.pushed);
}

int main(void) {
    RUN(marks_and_counts_are_exact_however_frames_and_clears_meet);
    return 0;
}
