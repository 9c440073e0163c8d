/* Keys heard as tones (ITU-T Q.23, Q.24): the whole detector, with twist, level, duration and talk-off logic.
 *
 *   pm_dtmf_init     one stream
 *   pm_dtmf_feed     audio of any length in, presses and releases out
 *
 * Looks at blocks of 12.75 ms. A key is down when two blocks in a row hold the same two tones, each standing out of its
 * group, nearly alone, steady, at frequencies and levels that belong together (dtmf.c has the numbers and says where they
 * come from), and up when two blocks in a row do not. Keys of 40 ms and pauses of 40 ms are always found. How the audio
 * is split makes no difference.
 */
#ifndef PM_DTMF_H
#define PM_DTMF_H

#include "halve.h"
#include "pm.h"

/* Samples of one block, at 8000 Hz. */
#define PM_DTMF_BLOCK 102
/* Events that n more samples can bring at most. */
#define PM_DTMF_EVENTS(n) (2 * ((size_t)(n) / PM_DTMF_BLOCK + 1))

typedef struct {
    char digit;       /* one of 0-9 * # A-D */
    bool pressed;     /* false: released */
    int64_t position; /* of the first sample of the press, to a block; also for a release */
    int64_t samples;  /* that the key was down; for a press, so far */
    float level_dbfs; /* of both tones together, where the key was found */
} pm_dtmf_event;

typedef struct {
    int64_t block_start;  /* position of the block being collected */
    int64_t press_start;
    int32_t per_sample;   /* samples of the stream for each at 8000 Hz */
    int32_t collected;    /* samples at 8000 Hz of the block being collected */
    float min_energy;     /* of each tone over one block */
    float level_dbfs;     /* of the press */
    float twist;          /* of what the block before held: high tone over low tone */
    char last;            /* what the block before held, 0 for nothing */
    char down;            /* the key that is down, 0 for none */
    pm_halver halver;
    int16_t pcm[PM_DTMF_BLOCK];
} pm_dtmf;

_Static_assert(sizeof(pm_dtmf) <= 320, "a DTMF detector fits 320 octets");

/* rate_hz: 8000 or 16000. min_level_dbfs: of each tone (-45.0 unless there is a reason). False: not supported. */
bool pm_dtmf_init(pm_dtmf *dtmf, int rate_hz, int64_t start_position, double min_level_dbfs);

/* Take n samples, write the events in their order; returns how many. Events beyond `room` are not written, though the
 * state follows them: PM_DTMF_EVENTS(n) is always enough. */
size_t pm_dtmf_feed(pm_dtmf *dtmf, const int16_t *pcm, size_t n, pm_dtmf_event *events, size_t room);

#endif
