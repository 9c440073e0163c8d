/* Runs of speech and silence after the answer. */
#include "amd.h"

#include <string.h>

#include "pcm.h"

enum {
    BLOCK_MS = PM_VAD_BLOCK_MS,
    /* Silence that ends the first utterance. */
    UTTERANCE_PAUSE_MS = 400,
    REMEMBERED_BLOCKS = 64,
};

void pm_amd_init(pm_amd *amd, const pm_vad *vad) {
    memset(amd, 0, sizeof *amd);
    amd->blocks = vad->blocks;
    amd->utterance_open = true;
}

/* The run that was going on has been long enough before the last `run_ms`, which are the first of another. */
static void change_over(pm_amd *amd) {
    pm_amd_seen *seen = &amd->seen;
    int32_t ended_ms = seen->elapsed_ms - amd->run_ms;
    if (seen->in_word) {
        seen->longest_word_ms = (int32_t)pm_max(seen->longest_word_ms, seen->current_run_ms);
        amd->last_word_end_ms = ended_ms;
    } else if (seen->words == 0) {
        amd->first_word_ms = ended_ms;
        seen->words = 1;
    } else {
        seen->longest_pause_ms = (int32_t)pm_max(seen->longest_pause_ms, seen->current_run_ms);
        seen->words++;
    }
    seen->in_word = !seen->in_word;
    seen->current_run_ms = amd->run_ms;
    amd->run_ms = 0;
}

static void take_block(pm_amd *amd, bool active) {
    pm_amd_seen *seen = &amd->seen;
    int32_t needed_ms = seen->in_word ? PM_AMD_MIN_PAUSE_MS : PM_AMD_MIN_WORD_MS;
    int32_t before_ms = seen->current_run_ms;
    seen->elapsed_ms += BLOCK_MS;
    if (active == seen->in_word) {
        seen->current_run_ms += amd->run_ms + BLOCK_MS;
        amd->run_ms = 0;
    } else {
        amd->run_ms += BLOCK_MS;
        if (amd->run_ms >= needed_ms) {
            change_over(amd);
            before_ms = 0;
        }
    }
    if (seen->in_word) {
        seen->speech_ms += seen->current_run_ms - before_ms;
    } else if (seen->words > 0) {
        seen->silence_ms += seen->current_run_ms - before_ms;
        if (amd->utterance_open && seen->current_run_ms >= UTTERANCE_PAUSE_MS) {
            seen->first_utterance_ms = amd->last_word_end_ms - amd->first_word_ms;
            amd->utterance_open = false;
        }
    }
}

void pm_amd_follow(pm_amd *amd, const pm_vad *vad) {
    int64_t fresh = vad->blocks - amd->blocks;
    for (; fresh > REMEMBERED_BLOCKS; fresh--) {
        take_block(amd, false);
    }
    for (; fresh > 0; fresh--) {
        take_block(amd, vad->active >> (fresh - 1) & 1);
    }
    if (vad->blocks > amd->blocks && (vad->active & 1)) {
        amd->level_sum += vad->level_dbfs;
        amd->level_blocks++;
    }
    amd->blocks = vad->blocks;
}

pm_amd_seen pm_amd_features(const pm_amd *amd) {
    pm_amd_seen seen = amd->seen;
    if (seen.words == 0) {
        seen.initial_silence_ms = seen.elapsed_ms;
    } else {
        seen.initial_silence_ms = amd->first_word_ms;
        seen.greeting_ms = (seen.in_word ? seen.elapsed_ms - amd->run_ms : amd->last_word_end_ms) - amd->first_word_ms;
    }
    if (amd->utterance_open) {
        seen.first_utterance_ms = seen.greeting_ms;
    }
    seen.longest_word_ms =
        (int32_t)pm_max(seen.longest_word_ms, seen.in_word ? seen.current_run_ms : 0);
    seen.mean_level_dbfs = amd->level_blocks > 0 ? (float)(amd->level_sum / (double)amd->level_blocks)
                                                 : (float)PM_SILENCE_DBFS;
    return seen;
}
