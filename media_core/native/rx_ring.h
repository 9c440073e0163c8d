/* The caller's audio on its way to its reader, in whole blocks; a reader that lags loses the oldest.
 *
 *   pm_rx_init                        over memory of the caller's
 *   media thread:    pm_rx_write      one frame more; returns whether that completes a block
 *   control thread:  pm_rx_look       the oldest block that is kept, as it lies in memory; drops what is too old
 *                    pm_rx_advance    done with it; says whether it stayed whole meanwhile
 *                    pm_rx_read       a copy of it, always whole
 *
 * The media thread never waits: it writes over what lies a whole ring back. Of the ring's blocks the reader is given
 * those of the last 200 ms only, so that a block that it looks at has the time of the others to live.
 */
#ifndef PM_RX_RING_H
#define PM_RX_RING_H

#include <stdatomic.h>

#include "pm.h"

/* Memory of a ring, and what of it a reader that lags is given. */
#define PM_RX_FRAMES 16
#define PM_RX_KEPT_MS 200

typedef struct {
    _Alignas(64) _Atomic uint64_t written; /* samples since position 0 */
    int16_t *pcm;
    int32_t capacity;                      /* samples: whole blocks, PM_RX_FRAMES frames at most */
    int32_t block;                         /* samples: whole frames */
    int32_t frame;                         /* samples: a multiple of 4 */

    _Alignas(64) uint64_t read;            /* the reader's: samples, whole blocks */
    uint64_t dropped;                      /* blocks that the reader lost */
    int32_t kept;                          /* samples: whole blocks */
} pm_rx;

/* pcm: PM_RX_FRAMES frames, aligned to 8 octets. block_frames: 1 to 5. */
void pm_rx_init(pm_rx *ring, int16_t *pcm, int frame_samples, int block_frames);

/* frame: one frame, aligned to 8 octets. */
bool pm_rx_write(pm_rx *ring, const int16_t *frame);

/* Where the next frame will be written. */
PM_INLINE const int16_t *pm_rx_place(const pm_rx *ring) {
    return ring->pcm + atomic_load_explicit(&ring->written, memory_order_relaxed) % (uint64_t)ring->capacity;
}

/* NULL while there is no whole block. position: of its first sample. */
const int16_t *pm_rx_look(pm_rx *ring, int64_t *position);

bool pm_rx_advance(pm_rx *ring);

/* pcm: room for one block, aligned to 8 octets. False while there is no whole block. */
bool pm_rx_read(pm_rx *ring, int16_t *pcm, int64_t *position);

#endif
