/* Sequence numbers of one RTP stream. */
#include "sequence.h"

enum {
    /* Furthest jump ahead that is taken for loss. */
    MAX_DROPOUT = 3000,
    /* Furthest step back that is taken for disorder; the window remembers as many. */
    MAX_MISORDER = 64,
};

void pm_sequence_reset(pm_sequence *window) {
    window->started = false;
    window->suspect = false;
    window->gap = 0;
}

static pm_arrival start(pm_sequence *window, uint16_t sequence) {
    window->started = true;
    window->suspect = false;
    window->highest = sequence;
    window->seen = 1;
    window->gap = 0;
    return PM_ARRIVAL_NEXT;
}

static pm_arrival advance(pm_sequence *window, uint16_t sequence, int ahead) {
    window->suspect = false;
    window->highest = sequence;
    window->seen = ahead < MAX_MISORDER ? window->seen << ahead | 1 : 1;
    window->lost += ahead - 1;
    window->gap += ahead - 1;
    return PM_ARRIVAL_NEXT;
}

static pm_arrival step_back(pm_sequence *window, int back) {
    uint64_t bit = (uint64_t)1 << back;
    if (window->seen & bit) {
        return PM_ARRIVAL_DUPLICATE;
    }
    window->seen |= bit;
    /* What lies before the first packet was never counted as missing. */
    window->lost -= window->lost > 0;
    window->gap -= window->gap > 0;
    return PM_ARRIVAL_REORDERED;
}

pm_arrival pm_sequence_follow(pm_sequence *window, uint16_t sequence) {
    int ahead = (uint16_t)(sequence - window->highest);
    int back = (uint16_t)(window->highest - sequence);
    if (!window->started || (window->suspect && sequence == window->restart)) {
        return start(window, sequence);
    }
    if (ahead == 0) {
        return PM_ARRIVAL_DUPLICATE;
    }
    if (ahead <= MAX_DROPOUT) {
        return advance(window, sequence, ahead);
    }
    if (back < MAX_MISORDER) {
        return step_back(window, back);
    }
    window->suspect = true;
    window->restart = (uint16_t)(sequence + 1);
    return PM_ARRIVAL_MISPLACED;
}
