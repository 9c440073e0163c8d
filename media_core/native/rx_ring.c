#include "rx_ring.h"

#include <string.h>

/* Four samples at a time, each access atomic: a reader that is overtaken reads garbage, which it finds out afterwards,
 * and nothing worse. */
static void store_shared(int16_t *shared, const int16_t *pcm, int32_t samples) {
    _Atomic uint64_t *words = (_Atomic uint64_t *)(void *)shared;
    for (int32_t i = 0; i < samples / 4; i++) {
        uint64_t word;
        memcpy(&word, pcm + 4 * i, sizeof word);
        atomic_store_explicit(words + i, word, memory_order_relaxed);
    }
}

static void load_shared(int16_t *pcm, const int16_t *shared, int32_t samples) {
    const _Atomic uint64_t *words = (const _Atomic uint64_t *)(const void *)shared;
    for (int32_t i = 0; i < samples / 4; i++) {
        uint64_t word = atomic_load_explicit(words + i, memory_order_relaxed);
        memcpy(pcm + 4 * i, &word, sizeof word);
    }
}

void pm_rx_init(pm_rx *ring, int16_t *pcm, int frame_samples, int block_frames) {
    memset(ring, 0, sizeof *ring);
    ring->pcm = pcm;
    ring->frame = frame_samples;
    ring->block = frame_samples * block_frames;
    ring->capacity = ring->block * (PM_RX_FRAMES / block_frames);
    ring->kept = ring->block * (int32_t)pm_max(1, PM_RX_KEPT_MS / (20 * block_frames));
}

bool pm_rx_write(pm_rx *ring, const int16_t *frame) {
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    /* A reader that sees any of the new samples sees with them that their place has been given up (seqlock). */
    atomic_thread_fence(memory_order_release);
    store_shared(ring->pcm + written % (uint64_t)ring->capacity, frame, ring->frame);
    written += (uint64_t)ring->frame;
    atomic_store_explicit(&ring->written, written, memory_order_release);
    return written % (uint64_t)ring->block == 0;
}

/* Whether the media thread may have begun to write over the block at `read`: it writes one frame beyond `written`. */
static bool overtaken(const pm_rx *ring) {
    atomic_thread_fence(memory_order_acquire);
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    return written + (uint64_t)ring->frame > ring->read + (uint64_t)ring->capacity;
}

const int16_t *pm_rx_look(pm_rx *ring, int64_t *position) {
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
    uint64_t block = (uint64_t)ring->block;
    uint64_t whole = written / block * block;
    if (whole - ring->read > (uint64_t)ring->kept) {
        ring->dropped += (whole - ring->read - (uint64_t)ring->kept) / block;
        ring->read = whole - (uint64_t)ring->kept;
    }
    if (whole == ring->read) return NULL;
    *position = (int64_t)ring->read;
    return ring->pcm + ring->read % (uint64_t)ring->capacity;
}

bool pm_rx_advance(pm_rx *ring) {
    bool whole = !overtaken(ring);
    ring->read += (uint64_t)ring->block;
    return whole;
}

bool pm_rx_read(pm_rx *ring, int16_t *pcm, int64_t *position) {
    const int16_t *block;
    while ((block = pm_rx_look(ring, position)) != NULL) {
        load_shared(pcm, block, ring->block);
        if (pm_rx_advance(ring)) return true;
        ring->dropped++;
    }
    return false;
}
