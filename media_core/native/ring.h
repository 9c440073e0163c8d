/* Where a ring stands that has one writer and one reader, each in a thread of its own: no lock, nobody waits.
 *
 *   pm_ring_room, pm_ring_wrote      the writer: how many items it may write; make them visible
 *   pm_ring_waiting, pm_ring_read    the reader: how many items it may read; give their places back
 *
 * The counts only ever grow; an item's place is its count modulo the capacity, which the ring's owner knows. What the
 * writer stored before pm_ring_wrote() is seen by a reader whose pm_ring_waiting() counts it.
 */
#ifndef PM_RING_H
#define PM_RING_H

#include <stdatomic.h>

#include "pm.h"

typedef struct {
    _Alignas(64) _Atomic uint64_t written;
    _Alignas(64) _Atomic uint64_t read;
} pm_ring;

PM_INLINE uint64_t pm_ring_room(pm_ring *ring, uint64_t capacity) {
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    return capacity - (written - atomic_load_explicit(&ring->read, memory_order_acquire));
}

/* The count of the next item to be written. */
PM_INLINE uint64_t pm_ring_next_written(pm_ring *ring) {
    return atomic_load_explicit(&ring->written, memory_order_relaxed);
}

PM_INLINE void pm_ring_wrote(pm_ring *ring, uint64_t items) {
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    atomic_store_explicit(&ring->written, written + items, memory_order_release);
}

PM_INLINE uint64_t pm_ring_waiting(pm_ring *ring) {
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    return atomic_load_explicit(&ring->written, memory_order_acquire) - read;
}

/* The count of the next item to be read. */
PM_INLINE uint64_t pm_ring_next_read(pm_ring *ring) {
    return atomic_load_explicit(&ring->read, memory_order_relaxed);
}

PM_INLINE void pm_ring_read(pm_ring *ring, uint64_t items) {
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    atomic_store_explicit(&ring->read, read + items, memory_order_release);
}

#endif
