/* How much later than the fastest the packets of one stream arrive. */
#include "transit.h"

#include <string.h>

enum {
    BIN_MS = 5,
    /* The fastest packet of the last 5 to 10 s is the measure, so that drifting clocks are followed. */
    PERIOD_S = 5,
    BLOCK_BINS = 8,
};

/* Weight of a packet halves with every 138 packets after it: 2.8 s of packets of 20 ms. */
static const float FORGETTING = 0.995f;
/* Packets that may come later than the needed delay. */
static const float LATE_SHARE = 0.04f;

void pm_transit_init(pm_transit *spread, int rate_hz) {
    memset(spread, 0, sizeof *spread);
    spread->rate_hz = rate_hz;
    spread->share[0] = 1.0f;
}

void pm_transit_restart(pm_transit *spread) { spread->started = false; }

void pm_transit_note(pm_transit *spread, int64_t position, int64_t arrival) {
    int64_t transit = arrival - position;
    int64_t later;
    /* A second late is no jitter but a clock set anew. */
    if (!spread->started || transit - spread->fastest > spread->rate_hz) {
        spread->started = true;
        spread->fastest = transit;
        spread->fastest_now = transit;
        spread->period_end = arrival + PERIOD_S * spread->rate_hz;
    } else if (arrival >= spread->period_end) {
        spread->fastest = pm_min(spread->fastest_now, transit);
        spread->fastest_now = transit;
        spread->period_end = arrival + PERIOD_S * spread->rate_hz;
    }
    spread->fastest = pm_min(spread->fastest, transit);
    spread->fastest_now = pm_min(spread->fastest_now, transit);
    later = (transit - spread->fastest) * 1000 / (BIN_MS * spread->rate_hz);
    for (int i = 0; i < PM_TRANSIT_BINS; i++) {
        spread->share[i] *= FORGETTING;
    }
    spread->share[pm_min(later, PM_TRANSIT_BINS - 1)] += 1.0f - FORGETTING;
}

static float share_of(const float *bins) {
    return ((bins[0] + bins[1]) + (bins[2] + bins[3])) + ((bins[4] + bins[5]) + (bins[6] + bins[7]));
}

int pm_transit_needed(const pm_transit *spread) {
    float late = 0.0f;
    int upper = PM_TRANSIT_BINS;
    /* Whole blocks first: mostly there is nothing in them. */
    while (upper > BLOCK_BINS && late + share_of(spread->share + upper - BLOCK_BINS) <= LATE_SHARE) {
        late += share_of(spread->share + upper - BLOCK_BINS);
        upper -= BLOCK_BINS;
    }
    while (upper > 1) {
        late += spread->share[upper - 1];
        if (late > LATE_SHARE) {
            break;
        }
        upper--;
    }
    return upper * BIN_MS * spread->rate_hz / 1000;
}
