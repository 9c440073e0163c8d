/* Sequence numbers of one RTP stream: what is new, out of order, seen before or a restart (RFC 3550 §A.1).
 *
 *   pm_sequence_reset       forget the stream; what it lost stays counted (all zeros is a fresh window)
 *   pm_sequence_follow      take the next packet's number
 */
#ifndef PM_SEQUENCE_H
#define PM_SEQUENCE_H

#include "pm.h"

typedef enum {
    PM_ARRIVAL_NEXT,      /* newer than all before */
    PM_ARRIVAL_REORDERED, /* older, but missing until now */
    PM_ARRIVAL_DUPLICATE,
    PM_ARRIVAL_MISPLACED, /* too far from the others to be believed or placed */
} pm_arrival;

typedef struct {
    uint64_t seen;  /* bit n: `highest` - n has come */
    int64_t lost;   /* missing so far, since the stream began to be followed */
    int64_t gap;    /* of them, those missing since `gap` was last set to 0 */
    uint16_t highest;
    uint16_t restart; /* the stream restarts if this follows a far jump */
    bool suspect;     /* a far jump came last */
    bool started;
} pm_sequence;

void pm_sequence_reset(pm_sequence *window);
pm_arrival pm_sequence_follow(pm_sequence *window, uint16_t sequence);

#endif
