/* Tones of known frequency, block by block (Goertzel).
 *
 *   pm_goertzel_init     up to 32 frequencies
 *   pm_goertzel_take     run the recursions up to the end of a block at most
 *   pm_goertzel_end      which tones the block held; the next one begins
 */
#ifndef PM_GOERTZEL_H
#define PM_GOERTZEL_H

#include "pm.h"

#define PM_GOERTZEL_MAX 32

typedef struct {
    double coefficient[PM_GOERTZEL_MAX]; /* 2 cos(2π f / rate) */
    double newest[PM_GOERTZEL_MAX];      /* the recursions' last two values */
    double older[PM_GOERTZEL_MAX];
    double energy;         /* sum of squares of this block so far */
    double min_level_dbfs;
    int32_t tones;
    int32_t block_samples;
    int32_t collected;     /* samples of this block so far */
} pm_goertzel;

/* False: no frequency, more than 32, one not between 0 and half of rate_hz, or no block. */
bool pm_goertzel_init(pm_goertzel *bank, int rate_hz, const double *frequencies_hz, size_t tones, int block_samples,
                      double min_level_dbfs);

/* Take samples up to the end of the block; returns how many. The block is complete where collected == block_samples. */
size_t pm_goertzel_take(pm_goertzel *bank, const int16_t *pcm, size_t n);

/* Bit i: tone i is present: it has min_level_dbfs or more and a fifth of the block's energy or more. */
uint32_t pm_goertzel_end(pm_goertzel *bank);

#endif
