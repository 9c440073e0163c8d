/* How long the callee speaks and is silent after answering: the timing that tells people from machines.
 *
 *   pm_amd_init        at the answer
 *   pm_amd_follow      after each pm_vad_feed(): takes the blocks of 10 ms judged since
 *   pm_amd_features    what has been seen so far
 *
 * A word is a run of active blocks of MIN_WORD_MS at least; a pause is a run of inactive ones of MIN_PAUSE_MS at least.
 * Shorter runs belong to what is around them. Decides nothing.
 */
#ifndef PM_AMD_H
#define PM_AMD_H

#include "pm.h"
#include "vad.h"

#define PM_AMD_MIN_WORD_MS 80
#define PM_AMD_MIN_PAUSE_MS 50

typedef struct {
    int32_t elapsed_ms;         /* since the answer */
    int32_t initial_silence_ms; /* before the first word; all of it while there is none */
    int32_t speech_ms;          /* in words and the short gaps within them */
    int32_t silence_ms;         /* in pauses, the initial one not counted */
    int32_t words;
    int32_t longest_word_ms;
    int32_t longest_pause_ms;   /* between two words */
    int32_t greeting_ms;        /* from the first word to the end of the last one */
    int32_t first_utterance_ms; /* the same, to the first pause of 400 ms or more */
    int32_t current_run_ms;     /* of the word or pause that goes on now */
    bool in_word;               /* which of them it is */
    float mean_level_dbfs;      /* of the newest block at each call, where active; PM_SILENCE_DBFS while none was */
} pm_amd_seen;

typedef struct {
    pm_amd_seen seen;
    int64_t blocks;         /* of the voice detector, taken so far */
    int32_t run_ms;         /* of blocks unlike the state that it is in */
    double level_sum;       /* of active blocks, in dBFS */
    int64_t level_blocks;
    int32_t last_word_end_ms;
    int32_t first_word_ms;
    bool utterance_open;    /* the first utterance still goes on */
} pm_amd;

void pm_amd_init(pm_amd *amd, const pm_vad *vad);

/* At most 63 blocks may have been judged between two calls; older ones are taken for silence. */
void pm_amd_follow(pm_amd *amd, const pm_vad *vad);

pm_amd_seen pm_amd_features(const pm_amd *amd);

#endif
