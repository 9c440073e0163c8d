#include "tap.h"

#include <string.h>

static size_t stride_of(int frame_samples) { return sizeof(pm_tap_frame) + 4 * (size_t)frame_samples; }

size_t pm_tap_memory(int frame_samples, uint32_t frames) {
    return (sizeof(pm_tap) + frames * stride_of(frame_samples) + 63) / 64 * 64;
}

pm_tap *pm_tap_init(void *memory, int frame_samples, uint32_t frames) {
    pm_tap *tap = memory;
    memset(tap, 0, pm_tap_memory(frame_samples, frames));
    tap->frame_samples = frame_samples;
    tap->capacity = frames;
    tap->frames = (uint8_t *)memory + sizeof *tap;
    return tap;
}

static pm_tap_frame *frame_at(pm_tap *tap, uint64_t number) {
    return (pm_tap_frame *)(void *)(tap->frames + number % tap->capacity * stride_of(tap->frame_samples));
}

/* Write the frame that was held back longest, beside what the caller said; NULL: nothing. */
static void write_oldest(pm_tap *tap, const int16_t *caller) {
    size_t octets = (size_t)tap->frame_samples * sizeof *caller;
    if (pm_ring_room(&tap->ring, tap->capacity) == 0) {
        atomic_fetch_add_explicit(&tap->dropped, 1, memory_order_relaxed);
    } else {
        pm_tap_frame *frame = frame_at(tap, pm_ring_next_written(&tap->ring));
        frame->position = tap->next_position;
        if (caller != NULL) {
            memcpy(frame->pcm, caller, octets);
        } else {
            memset(frame->pcm, 0, octets);
        }
        memcpy(frame->pcm + tap->frame_samples, tap->agent[0], octets);
        pm_ring_wrote(&tap->ring, 1);
    }
    memcpy(tap->agent[0], tap->agent[1], octets);
    tap->next_position += tap->frame_samples;
    tap->held--;
}

void pm_tap_write(pm_tap *tap, int64_t position, const int16_t *caller, const int16_t *agent) {
    if (tap->held == PM_TAP_DELAY_FRAMES) write_oldest(tap, caller);
    if (tap->held == 0) tap->next_position = position;
    memcpy(tap->agent[tap->held], agent, (size_t)tap->frame_samples * sizeof *agent);
    tap->held++;
}

void pm_tap_end(pm_tap *tap) {
    while (tap->held > 0) write_oldest(tap, NULL);
    atomic_store_explicit(&tap->ended, true, memory_order_release);
}

uint32_t pm_tap_look(pm_tap *tap, uint32_t most) {
    uint32_t waiting = (uint32_t)pm_min((int64_t)pm_ring_waiting(&tap->ring), most);
    uint32_t count = 0;
    while (count < waiting &&
           pm_tap_at(tap, count)->position == pm_tap_at(tap, 0)->position + (int64_t)count * tap->frame_samples) {
        count++;
    }
    return count;
}

const pm_tap_frame *pm_tap_at(pm_tap *tap, uint32_t i) { return frame_at(tap, pm_ring_next_read(&tap->ring) + i); }

void pm_tap_done(pm_tap *tap, uint32_t frames) { pm_ring_read(&tap->ring, frames); }
