#define _GNU_SOURCE 1

#include "slab.h"

#include <string.h>

static uint32_t places_for(uint32_t capacity) { return capacity + capacity / 32 + 8; }

static size_t rounded(size_t octets) { return (octets + 63) / 64 * 64; }

size_t pm_slab_memory(uint32_t capacity) {
    size_t places = places_for(capacity);
    return places * (sizeof(pm_session) + pm_session_memory()) + 3 * rounded(places * sizeof(uint32_t));
}

void pm_slab_init(pm_slab *slab, uint32_t capacity, void *memory) {
    uint32_t places = places_for(capacity);
    uint8_t *rest = (uint8_t *)memory + places * sizeof(pm_session);
    size_t numbers = rounded(places * sizeof(uint32_t));
    *slab = (pm_slab){.sessions = memory, .memory = rest, .capacity = capacity, .places = places};
    rest += places * pm_session_memory();
    slab->generations = (uint32_t *)(void *)rest;
    slab->free = (uint32_t *)(void *)(rest + numbers);
    slab->closing = (uint32_t *)(void *)(rest + 2 * numbers);
    for (uint32_t number = 0; number < places; number++) {
        slab->sessions[number].number = number;
        slab->generations[number] = 1;
        slab->free[slab->free_count++] = places - 1 - number;
    }
}

static uint64_t handle_of(const pm_slab *slab, uint32_t number) {
    return (uint64_t)slab->generations[number] << 32 | number;
}

pm_session *pm_slab_open(pm_slab *slab, const pm_session_setup *setup) {
    if (slab->open == slab->capacity || slab->free_count == 0) return NULL;
    uint32_t number = slab->free[--slab->free_count];
    pm_session *session = &slab->sessions[number];
    slab->open++;
    session->handle = handle_of(slab, number);
    pm_session_init(session, setup, slab->memory + number * pm_session_memory());
    return session;
}

pm_session *pm_slab_find(pm_slab *slab, uint64_t handle) {
    uint32_t number = (uint32_t)handle;
    if (number >= slab->places || slab->sessions[number].handle != handle) return NULL;
    return handle == handle_of(slab, number) ? &slab->sessions[number] : NULL;
}

void pm_slab_close(pm_slab *slab, pm_session *session) {
    uint32_t number = session->number;
    if (++slab->generations[number] == 0) slab->generations[number] = 1;
    slab->closing[(slab->closing_first + slab->closing_count++) % slab->places] = number;
    slab->open--;
}

uint32_t pm_slab_reap(pm_slab *slab) {
    if (slab->closing_count == 0) return PM_NO_SESSION;
    uint32_t number = slab->closing[slab->closing_first];
    if (!atomic_load_explicit(&slab->sessions[number].ended, memory_order_acquire)) return PM_NO_SESSION;
    slab->closing_first = (slab->closing_first + 1) % slab->places;
    slab->closing_count--;
    slab->free[slab->free_count++] = number;
    return number;
}
