/* The level of what is always there, by minimum statistics. */
#include "noise_floor.h"

#include <math.h>

#include "pcm.h"

enum {
    /* Blocks of 10 ms in one part: the parts together cover 2 to 2.5 s. */
    PART_BLOCKS = 50,
};

static const double SMOOTHING = 0.25;
/* The least of many smoothed levels lies so far below their mean. */
static const double BIAS_DB = 1.5;
/* Below this a block is digital silence: a gap in the stream that tells nothing of the line. */
static const double LOWEST_DBFS = -75.0;

/* Of two numbers, which are never NaN here: fmin() is a call. */
static double lesser(double one, double other) { return one < other ? one : other; }

/* The first part replaces the guess if the line is quieter. */
void pm_noise_floor_init(pm_noise_floor *noise, double level_dbfs) {
    double guess = 32768.0 * 32768.0 * pow(10.0, (level_dbfs - BIAS_DB) / 10.0);
    noise->smoothed = guess;
    noise->blocks = 0;
    noise->part = 0;
    noise->level_dbfs = level_dbfs;
    noise->least = -1.0;
    for (int i = 0; i < PM_NOISE_PARTS; i++) {
        noise->quietest[i] = guess;
    }
}

void pm_noise_floor_note(pm_noise_floor *noise, double mean_square, double block_dbfs) {
    double least;
    if (block_dbfs < LOWEST_DBFS) {
        return;
    }
    noise->smoothed += SMOOTHING * (mean_square - noise->smoothed);
    if (noise->blocks == PART_BLOCKS) {
        noise->blocks = 0;
        noise->part = (noise->part + 1) % PM_NOISE_PARTS;
        noise->quietest[noise->part] = noise->smoothed;
    }
    noise->blocks++;
    noise->quietest[noise->part] = lesser(noise->quietest[noise->part], noise->smoothed);
    least = noise->quietest[0];
    for (int i = 1; i < PM_NOISE_PARTS; i++) {
        least = lesser(least, noise->quietest[i]);
    }
    /* It seldom changes, and a logarithm costs as much as the rest of the block. */
    if (least != noise->least) {
        noise->least = least;
        noise->level_dbfs = pm_dbfs(least) + BIAS_DB;
    }
}
