/* How much later than the fastest the packets of one stream arrive: the delay that playing them in time needs.
 *
 *   pm_transit_init, pm_transit_restart     begin; measure against the packets from now on
 *   pm_transit_note                         take one packet
 *   pm_transit_needed                       the delay that nearly all packets of the last seconds keep
 *
 * A single stall moves little: what counts is what happens to more than one packet in 25 over the last few seconds.
 */
#ifndef PM_TRANSIT_H
#define PM_TRANSIT_H

#include "pm.h"

#define PM_TRANSIT_BINS 40

typedef struct {
    int64_t fastest;     /* least transit in this period and the one before, in samples */
    int64_t fastest_now; /* least transit in this period */
    int64_t period_end;  /* arrival at which the next period begins */
    int32_t rate_hz;
    bool started;
    float share[PM_TRANSIT_BINS]; /* of packets, by how much later than the fastest they came, in bins of 5 ms */
} pm_transit;

/* Begin as if all packets so far had been equally fast. */
void pm_transit_init(pm_transit *spread, int rate_hz);

/* Positions have been renumbered. */
void pm_transit_restart(pm_transit *spread);

/* position: of the packet in its stream, arrival: on the session clock; both in samples. */
void pm_transit_note(pm_transit *spread, int64_t position, int64_t arrival);

/* In samples, 5 ms at least. */
int pm_transit_needed(const pm_transit *spread);

#endif
