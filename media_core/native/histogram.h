/* How long something took, counted in bins an eighth of an octave wide, from 1 µs to hours; written by one thread.
 *
 *   pm_histogram_note         one duration
 *   pm_histogram_quantile     which one so many of them do not exceed, to 12 %
 */
#ifndef PM_HISTOGRAM_H
#define PM_HISTOGRAM_H

#include <stdatomic.h>

#include "pm.h"

#define PM_HISTOGRAM_BINS 320

typedef struct {
    _Atomic uint64_t counts[PM_HISTOGRAM_BINS];
    _Atomic int64_t worst_ns;
} pm_histogram;

void pm_histogram_note(pm_histogram *histogram, int64_t ns);

/* share: 0 to 1. The upper end of a bin, or the worst duration where that is less; 0 while nothing has been noted. */
int64_t pm_histogram_quantile(pm_histogram *histogram, double share);

/* Forget everything; what is noted meanwhile may be kept or not. */
void pm_histogram_reset(pm_histogram *histogram);

#endif
