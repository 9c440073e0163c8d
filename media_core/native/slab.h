/* All sessions of an engine in memory made once, and the handles by which they are known. Control thread only.
 *
 *   pm_slab_memory, pm_slab_init    for so many sessions at once
 *   pm_slab_open                    a free place, under a new handle
 *   pm_slab_find                    the session of a handle, if that call still goes on
 *   pm_slab_close                   the handle is void from now on; the place is free when the media thread has let go
 *   pm_slab_reap                    take back one place that the media thread has let go of
 *
 * A handle is a generation (upper 32 bits, never 0) and a number. A place that is used again gets another generation,
 * so no handle of an earlier call reaches a later one.
 */
#ifndef PM_SLAB_H
#define PM_SLAB_H

#include "pm.h"
#include "session.h"

typedef struct {
    pm_session *sessions;
    uint8_t *memory;       /* pm_session_memory() octets for each */
    uint32_t *generations; /* of the call that has the place, or will have it */
    uint32_t *free;        /* stack of numbers */
    uint32_t *closing;     /* ring of numbers, in the order in which they were closed */
    uint32_t capacity;     /* calls at once */
    uint32_t places;       /* some more, for those that are closing */
    uint32_t open;
    uint32_t free_count;
    uint32_t closing_first;
    uint32_t closing_count;
} pm_slab;

size_t pm_slab_memory(uint32_t capacity);

/* memory: pm_slab_memory(capacity) octets of zeros, aligned to 64. */
void pm_slab_init(pm_slab *slab, uint32_t capacity, void *memory);

/* NULL: so many calls go on already, or those that ended are still being let go of. */
pm_session *pm_slab_open(pm_slab *slab, const pm_session_setup *setup);

/* NULL: the handle is void. */
pm_session *pm_slab_find(pm_slab *slab, uint64_t handle);

void pm_slab_close(pm_slab *slab, pm_session *session);

/* The number of a place that has become free, or PM_NO_SESSION. */
uint32_t pm_slab_reap(pm_slab *slab);

#endif
