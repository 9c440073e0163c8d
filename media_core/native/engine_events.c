#include "engine_events.h"

#include <string.h>

size_t pm_events_memory(uint32_t capacity) { return capacity * sizeof(pm_engine_event); }

void pm_events_init(pm_events *events, uint32_t capacity, void *memory) {
    memset(events, 0, sizeof *events);
    events->events = memory;
    events->capacity = capacity;
}

/* Whether the next event of this kind, or a count, says the same. */
static bool is_told_again(uint16_t kind) {
    return kind == PM_BLOCK_READY || kind == PM_TAP_READY || kind == PM_LATE_TICK;
}

void pm_events_tell(pm_events *events, const pm_engine_event *event) {
    uint64_t room = pm_ring_room(&events->ring, events->capacity);
    if (is_told_again(event->kind) && room <= events->capacity / 4) return;
    if (room == 0) {
        atomic_fetch_add_explicit(&events->dropped, 1, memory_order_relaxed);
        return;
    }
    events->events[pm_ring_next_written(&events->ring) % events->capacity] = *event;
    pm_ring_wrote(&events->ring, 1);
}

size_t pm_events_fetch(pm_events *events, pm_engine_event *copies, size_t room) {
    size_t count = (size_t)pm_min((int64_t)pm_ring_waiting(&events->ring), (int64_t)room);
    uint64_t next = pm_ring_next_read(&events->ring);
    for (size_t i = 0; i < count; i++) copies[i] = events->events[(next + i) % events->capacity];
    pm_ring_read(&events->ring, count);
    return count;
}
