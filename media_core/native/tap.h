/* Both sides of a call on their way into a recording, frame by frame on one clock.
 *
 *   pm_tap_memory, pm_tap_init     memory for so many frames
 *   media thread:    pm_tap_write  what the caller said and what was sent to him, in one tick
 *                    pm_tap_end    what was sent last; nothing follows
 *   control thread:  pm_tap_look   the oldest frames that follow each other without a hole
 *                    pm_tap_done   give their places back
 *
 * What the caller said is known two frames later than what was sent at the same time: the tap holds the latter back.
 * When the reader lags, frames are left out and counted; positions show the hole.
 */
#ifndef PM_TAP_H
#define PM_TAP_H

#include "pm.h"
#include "ring.h"

#define PM_TAP_DELAY_FRAMES 2
#define PM_TAP_FRAME_MAX 320

typedef struct {
    int64_t position; /* of the first sample of both sides */
    int16_t pcm[];    /* the caller's frame, then the agent's */
} pm_tap_frame;

typedef struct {
    pm_ring ring;
    int32_t frame_samples;
    uint32_t capacity;           /* frames */
    _Atomic uint64_t dropped;    /* frames */
    _Atomic bool ended;

    int32_t held;                /* frames of the agent's that wait for the caller's */
    int16_t agent[PM_TAP_DELAY_FRAMES][PM_TAP_FRAME_MAX];
    int64_t next_position;       /* of the next frame to be written */
    uint8_t *frames;
} pm_tap;

size_t pm_tap_memory(int frame_samples, uint32_t frames);

/* memory: pm_tap_memory() octets, aligned to 64; the tap lies at its start. */
pm_tap *pm_tap_init(void *memory, int frame_samples, uint32_t frames);

/* position: of the agent's frame, which has just been sent. caller: what he said two frames before. */
void pm_tap_write(pm_tap *tap, int64_t position, const int16_t *caller, const int16_t *agent);

void pm_tap_end(pm_tap *tap);

/* How many frames follow each other from the oldest one on, `most` at most; frame(i) of them is pm_tap_at(tap, i). */
uint32_t pm_tap_look(pm_tap *tap, uint32_t most);
const pm_tap_frame *pm_tap_at(pm_tap *tap, uint32_t i);
void pm_tap_done(pm_tap *tap, uint32_t frames);

/* Whether nothing will be written any more. */
PM_INLINE bool pm_tap_has_ended(pm_tap *tap) { return atomic_load_explicit(&tap->ended, memory_order_acquire); }

#endif
