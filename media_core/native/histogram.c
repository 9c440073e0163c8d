#include "histogram.h"

/* Bins count units of 1.024 µs: the first 8 bins one each, every later 8 an octave. */
#define UNIT_BITS 10
#define OCTAVE_BITS 3
#define OCTAVE (1 << OCTAVE_BITS)

static int bin_of(int64_t ns) {
    uint64_t units = (uint64_t)pm_max(0, ns) >> UNIT_BITS;
    if (units < OCTAVE) return (int)units;
    int octave = 63 - __builtin_clzll(units) - OCTAVE_BITS;
    int bin = OCTAVE * (octave + 1) + (int)(units >> octave & (OCTAVE - 1));
    return bin < PM_HISTOGRAM_BINS ? bin : PM_HISTOGRAM_BINS - 1;
}

static int64_t upper_end_ns(int bin) {
    if (bin < OCTAVE) return (int64_t)(bin + 1) << UNIT_BITS;
    return (int64_t)(OCTAVE + bin % OCTAVE + 1) << (bin / OCTAVE - 1 + UNIT_BITS);
}

void pm_histogram_note(pm_histogram *histogram, int64_t ns) {
    _Atomic uint64_t *count = &histogram->counts[bin_of(ns)];
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
    if (ns > atomic_load_explicit(&histogram->worst_ns, memory_order_relaxed)) {
        atomic_store_explicit(&histogram->worst_ns, ns, memory_order_relaxed);
    }
}

int64_t pm_histogram_quantile(pm_histogram *histogram, double share) {
    uint64_t counts[PM_HISTOGRAM_BINS];
    uint64_t total = 0;
    for (int bin = 0; bin < PM_HISTOGRAM_BINS; bin++) {
        counts[bin] = atomic_load_explicit(&histogram->counts[bin], memory_order_relaxed);
        total += counts[bin];
    }
    int64_t worst = atomic_load_explicit(&histogram->worst_ns, memory_order_relaxed);
    uint64_t seen = 0;
    for (int bin = 0; bin < PM_HISTOGRAM_BINS && total > 0; bin++) {
        seen += counts[bin];
        if ((double)seen >= share * (double)total && seen > 0) return pm_min(upper_end_ns(bin), worst);
    }
    return worst;
}

void pm_histogram_reset(pm_histogram *histogram) {
    for (int bin = 0; bin < PM_HISTOGRAM_BINS; bin++) {
        atomic_store_explicit(&histogram->counts[bin], 0, memory_order_relaxed);
    }
    atomic_store_explicit(&histogram->worst_ns, 0, memory_order_relaxed);
}
