/* The level of what is always there: the quietest moment of the last seconds (minimum statistics).
 *
 *   pm_noise_floor_init     begin with a guess
 *   pm_noise_floor_note     take one block of 10 ms
 *
 * Follows a line that grows quieter within 40 ms, and one that grows louder within 2.5 s, which no speech fills without
 * a pause between two syllables.
 */
#ifndef PM_NOISE_FLOOR_H
#define PM_NOISE_FLOOR_H

#include "pm.h"

#define PM_NOISE_PARTS 5

typedef struct {
    double smoothed;                 /* mean square, over some 40 ms */
    double quietest[PM_NOISE_PARTS]; /* least smoothed mean square in each part, in a ring */
    double least;                    /* of them, when level_dbfs was found; negative before */
    double level_dbfs;
    int32_t blocks; /* in this part so far */
    int32_t part;
} pm_noise_floor;

void pm_noise_floor_init(pm_noise_floor *noise, double level_dbfs);

/* block_dbfs: the level of mean_square, which the caller knows already. */
void pm_noise_floor_note(pm_noise_floor *noise, double mean_square, double block_dbfs);

#endif
