/* Audio over a connection is complete and in order, but has no numbers and times of its own: it gets them here, as the
 * jitter buffer wants them.
 *
 *   pm_numbering_next    those of the next piece; a state of zeros begins
 */
#ifndef PM_NUMBERING_H
#define PM_NUMBERING_H

#include "codec.h"

/* What comes later than this behind the piece before it follows a pause of the sender's. */
#define PM_PAUSE_TICKS (PM_RTP_CLOCK_HZ / 10)

typedef struct {
    uint16_t sequence;  /* of the piece */
    uint32_t timestamp;
    int64_t due;        /* when the next one is */
    bool begun;
} pm_numbering;

typedef struct {
    uint16_t sequence;
    uint32_t timestamp;
} pm_number;

/* arrival, ticks: when it came, and its length, in units of the RTP clock. */
PM_INLINE pm_number pm_numbering_next(pm_numbering *numbering, int64_t arrival, int64_t ticks) {
    int64_t late = numbering->begun ? arrival - numbering->due : 0;
    if (late > PM_PAUSE_TICKS) numbering->timestamp += (uint32_t)late;
    pm_number number = {numbering->sequence, numbering->timestamp};
    numbering->sequence++;
    numbering->timestamp += (uint32_t)ticks;
    numbering->due = arrival + ticks;
    numbering->begun = true;
    return number;
}

#endif
