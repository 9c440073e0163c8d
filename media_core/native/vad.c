/* Detection of speech by energy over an adaptive noise floor. */
#include "vad.h"

#include <math.h>
#include <string.h>

#include "pcm.h"

enum {
    /* Onset may lack so many strong blocks between the first and the last. */
    ONSET_SLACK_BLOCKS = 4,
    /* How far weak blocks before the first strong one may move the beginning back. */
    LEAD_BLOCKS = 12,
    MAX_DURATION_MS = 500,
    /* Samples that the filter takes at once. */
    GROUP = 4,
};

static const double TWO_PI = 6.283185307179586;
static const double STRONG_SNR_DB = 9.0;
static const double WEAK_SNR_DB = 6.0;
/* Weak blocks may be so much quieter than the least level that begins speech. */
static const double WEAK_RELIEF_DB = 8.0;
/* What is assumed of a line before it has been heard. */
static const double FIRST_NOISE_DBFS = -50.0;
static const double HIGH_PASS_HZ = 120.0;

pm_vad_setup pm_vad_defaults(int rate_hz) {
    pm_vad_setup setup = {.rate_hz = rate_hz, .onset_ms = 60, .hangover_ms = 140, .min_level_dbfs = -43.0};
    return setup;
}

static bool is_duration(int duration_ms) {
    return duration_ms >= PM_VAD_BLOCK_MS && duration_ms <= MAX_DURATION_MS && duration_ms % PM_VAD_BLOCK_MS == 0;
}

bool pm_vad_init(pm_vad *vad, const pm_vad_setup *setup) {
    if (!pm_rate_known(setup->rate_hz) || !is_duration(setup->onset_ms) || !is_duration(setup->hangover_ms)) {
        return false;
    }
    memset(vad, 0, sizeof *vad);
    vad->block_samples = setup->rate_hz * PM_VAD_BLOCK_MS / 1000;
    vad->onset_blocks = setup->onset_ms / PM_VAD_BLOCK_MS;
    vad->hangover_blocks = setup->hangover_ms / PM_VAD_BLOCK_MS;
    vad->min_level_dbfs = setup->min_level_dbfs;
    vad->block_start = setup->start_position;
    vad->pole = exp(-TWO_PI * HIGH_PASS_HZ / setup->rate_hz);
    vad->level_dbfs = PM_SILENCE_DBFS;
    pm_noise_floor_init(&vad->noise, FIRST_NOISE_DBFS);
    return true;
}

int64_t pm_vad_position(const pm_vad *vad) { return vad->block_start + vad->collected; }

/* Filter groups of four samples and add their squares: y[n] = x[n] - x[n-1] + pole * y[n-1].
 *
 * Each group is written as a sum over its own differences and the last output of the group before, so that one
 * multiplication and one addition per group wait for another, not four of each. */
static void filter(pm_vad *vad, const int16_t *pcm, int groups) {
    double p1 = vad->pole, p2 = p1 * p1, p3 = p2 * p1, p4 = p2 * p2;
    double before = vad->last_output, energy = vad->energy;
    int last = vad->last_input;
    for (int i = 0; i < groups; i++, pcm += GROUP) {
        double d0 = pcm[0] - last, d1 = pcm[1] - pcm[0], d2 = pcm[2] - pcm[1], d3 = pcm[3] - pcm[2];
        double e1 = d1 + p1 * d0, e3 = d3 + p1 * d2;
        double y0 = d0 + p1 * before;
        double y1 = e1 + p2 * before;
        double y2 = (d2 + p1 * e1) + p3 * before;
        double y3 = (e3 + p2 * e1) + p4 * before;
        energy += (y0 * y0 + y1 * y1) + (y2 * y2 + y3 * y3);
        before = y3;
        last = pcm[3];
    }
    vad->last_output = before;
    vad->last_input = (int16_t)last;
    vad->energy = energy;
}

/* Begin speech, at *position, where enough strong blocks came close together. */
static bool begins(pm_vad *vad, int64_t *position) {
    int oldest = 0, count = 0, lead = 0;
    for (int age = 0; age < vad->onset_blocks + ONSET_SLACK_BLOCKS; age++) {
        if (vad->strong >> age & 1) {
            count++;
            oldest = age;
        }
    }
    if (count < vad->onset_blocks) {
        return false;
    }
    while (lead < LEAD_BLOCKS && oldest < 63 && (vad->weak >> (oldest + 1) & 1)) {
        oldest++;
        lead++;
    }
    vad->speaking = true;
    vad->speech_end = vad->block_start;
    *position = vad->block_start - (int64_t)(oldest + 1) * vad->block_samples;
    return true;
}

/* End speech, at *position, after the hangover; a single weak block, a click, does not prolong it. */
static bool ends(pm_vad *vad, int64_t *position) {
    if ((vad->weak & 3) == 3) {
        vad->speech_end = vad->block_start;
    }
    if (vad->block_start - vad->speech_end < (int64_t)vad->hangover_blocks * vad->block_samples) {
        return false;
    }
    vad->speaking = false;
    vad->strong = 0;
    vad->weak = 0;
    *position = vad->speech_end;
    return true;
}

/* Judge the block just completed; return whether `speaking` has changed. */
static bool end_block(pm_vad *vad, int64_t *position) {
    double mean_square = vad->energy / vad->block_samples;
    double level = pm_dbfs(mean_square);
    double noise = vad->noise.level_dbfs;
    bool strong = level >= fmax(noise + STRONG_SNR_DB, vad->min_level_dbfs);
    bool weak = level >= fmax(noise + WEAK_SNR_DB, vad->min_level_dbfs - WEAK_RELIEF_DB);
    vad->strong = vad->strong << 1 | strong;
    vad->weak = vad->weak << 1 | weak;
    vad->active = vad->active << 1 | weak;
    vad->level_dbfs = level;
    vad->blocks++;
    pm_noise_floor_note(&vad->noise, mean_square, level);
    vad->block_start += vad->block_samples;
    vad->collected = 0;
    vad->energy = 0.0;
    return vad->speaking ? ends(vad, position) : begins(vad, position);
}

/* Take samples up to the end of the block; return how many. */
static size_t collect(pm_vad *vad, const int16_t *pcm, size_t n) {
    size_t taken = 0, groups;
    size_t wanted = (size_t)(vad->block_samples - vad->collected);
    n = n < wanted ? n : wanted;
    while (taken < n && vad->pending_n > 0) {
        int16_t group[GROUP];
        if (vad->pending_n < GROUP - 1) {
            vad->pending[vad->pending_n++] = pcm[taken++];
            continue;
        }
        memcpy(group, vad->pending, sizeof vad->pending);
        group[GROUP - 1] = pcm[taken++];
        filter(vad, group, 1);
        vad->pending_n = 0;
    }
    groups = (n - taken) / GROUP;
    filter(vad, pcm + taken, (int)groups);
    taken += groups * GROUP;
    while (taken < n) {
        vad->pending[vad->pending_n++] = pcm[taken++];
    }
    vad->collected += (int32_t)n;
    return n;
}

size_t pm_vad_feed(pm_vad *vad, const int16_t *pcm, size_t n, pm_vad_edge *edges, size_t room) {
    size_t found = 0;
    while (n > 0) {
        size_t taken = collect(vad, pcm, n);
        int64_t position;
        pcm += taken;
        n -= taken;
        if (vad->collected == vad->block_samples && end_block(vad, &position) && found < room) {
            edges[found].started = vad->speaking;
            edges[found].position = position;
            found++;
        }
    }
    return found;
}
