/* Keys heard as tones.
 *
 * Each block is correlated with sines and cosines of the eight frequencies, its two halves apart: together they tell how
 * strong a tone is even where its frequency is a little off, from one to the other they tell how far it is off and whether
 * it is steady.
 */
#include "dtmf.h"

#include <math.h>
#include <string.h>

#include "pcm.h"

enum {
    RATE_HZ = 8000,
    BLOCK = PM_DTMF_BLOCK,
    HALF = BLOCK / 2,
    GROUP = 4,
    TONES = 2 * GROUP,
    SUMS = 2 * TONES,
    LANES = 4,
};

static const double TWO_PI = 6.283185307179586;
/* Q.23; the low group (rows of the keypad), then the high one (columns). */
static const double FREQUENCIES_HZ[TONES] = {697, 770, 852, 941, 1209, 1336, 1477, 1633};
static const char KEYPAD[GROUP][GROUP + 1] = {"123A", "456B", "789C", "*0#D"};

/* Q.24 (AT&T): the high tone may be 4 dB stronger or 8 dB weaker than the low one; 1 dB for measuring short blocks. */
static const float HIGH_OVER_LOW = 3.16f;
static const float LOW_OVER_HIGH = 7.94f;
/* A tone is so much stronger than the others of its group: 8 dB. */
static const float STANDS_OUT = 6.3f;
/* Beside both tones there is at most so much of the block's energy: noise 7 dB below them is borne. */
static const float MOST_REST = 0.18f;
/* And the weaker of them is so much stronger than all the rest: speech has partials beside any two that look like a key. */
static const float WEAKER_OVER_REST = 1.3f;
/* From one half of a block to the other a tone keeps its strength within 5 dB. */
static const float STEADY = 4.0f;
/* And from one block to the next the tones of a key keep their twist within 3.5 dB; vowels seldom do. */
static const float TWIST_SWING = 2.2f;
/* Q.24 asks for 1.5 % and forbids 3.5 %; between them there is room for what noise and the other tone do to short blocks. */
static const float LARGEST_OFFSET = 0.024f;
/* Of both tones together: partials of speech that fall near two tones mostly miss both. */
static const float LARGEST_OFFSETS = 0.034f;

typedef float four_lanes __attribute__((vector_size(LANES * sizeof(float))));

/* What one tone is in a block. */
typedef struct {
    float energy;   /* as if its frequency were exact */
    float offset;   /* of its frequency, as a share of it */
    bool steady;
} heard_tone;

/* [sample of a block][8 cosines, 8 sines] */
static float WAVES[BLOCK][SUMS];

__attribute__((constructor)) static void make_waves(void) {
    for (int i = 0; i < BLOCK; i++) {
        for (int tone = 0; tone < TONES; tone++) {
            double angle = TWO_PI * FREQUENCIES_HZ[tone] * i / RATE_HZ;
            WAVES[i][tone] = (float)cos(angle);
            WAVES[i][TONES + tone] = (float)sin(angle);
        }
    }
}

bool pm_dtmf_init(pm_dtmf *dtmf, int rate_hz, int64_t start_position, double min_level_dbfs) {
    if (rate_hz != RATE_HZ && rate_hz != 2 * RATE_HZ) {
        return false;
    }
    memset(dtmf, 0, sizeof *dtmf);
    dtmf->per_sample = rate_hz / RATE_HZ;
    dtmf->block_start = start_position;
    dtmf->min_energy = (float)(BLOCK * 32768.0 * 32768.0 * pow(10.0, min_level_dbfs / 10.0));
    pm_halver_init(&dtmf->halver);
    return true;
}

/* Correlate both halves of a block with all waves at once. */
static void correlate(const int16_t *pcm, float *first, float *second) {
    four_lanes sums[2][SUMS / LANES] = {{{0.0f}}};
    for (int i = 0; i < HALF; i++) {
        float one = pcm[i], other = pcm[HALF + i];
        for (int group = 0; group < SUMS / LANES; group++) {
            four_lanes wave, other_wave;
            memcpy(&wave, WAVES[i] + group * LANES, sizeof wave);
            memcpy(&other_wave, WAVES[HALF + i] + group * LANES, sizeof other_wave);
            sums[0][group] += wave * one;
            sums[1][group] += other_wave * other;
        }
    }
    memcpy(first, sums[0], sizeof sums[0]);
    memcpy(second, sums[1], sizeof sums[1]);
}

/* The strongest tone of a group, or -1 where it does not stand out of the others. */
static int strongest(const float *first, const float *second, int group) {
    float power[GROUP];
    int best = 0;
    for (int i = 0; i < GROUP; i++) {
        float cosine = first[group + i] + second[group + i];
        float sine = first[TONES + group + i] + second[TONES + group + i];
        power[i] = cosine * cosine + sine * sine;
        best = power[i] > power[best] ? i : best;
    }
    for (int i = 0; i < GROUP; i++) {
        if (i != best && power[i] * STANDS_OUT > power[best]) {
            return -1;
        }
    }
    return group + best;
}

/* Look closer at one tone. */
static heard_tone examine(const float *first, const float *second, int tone) {
    float c1 = first[tone], s1 = first[TONES + tone], c2 = second[tone], s2 = second[TONES + tone];
    float power1 = c1 * c1 + s1 * s1, power2 = c2 * c2 + s2 * s2;
    float amplitude = sqrtf(power1) + sqrtf(power2);
    /* The waves run on over both halves: what the tone's phase gains on them is its offset. A sine that runs ahead of its
     * correlator turns the pair (cosine, sine) backwards. */
    float turn = atan2f(c2 * s1 - s2 * c1, c1 * c2 + s1 * s2);
    heard_tone heard;
    heard.energy = 2.0f / BLOCK * amplitude * amplitude;
    heard.offset = turn * (float)(RATE_HZ / (TWO_PI * HALF)) / (float)FREQUENCIES_HZ[tone];
    heard.steady = power1 <= STEADY * power2 && power2 <= STEADY * power1;
    return heard;
}

/* Whether two tones can be a key, in a block of this energy. */
static bool belong_together(const heard_tone *low, const heard_tone *high, float whole, float min_energy) {
    float weaker = fminf(low->energy, high->energy);
    float rest = whole - low->energy - high->energy;
    return weaker >= min_energy && rest <= MOST_REST * whole && weaker >= WEAKER_OVER_REST * rest &&
           high->energy <= HIGH_OVER_LOW * low->energy && low->energy <= LOW_OVER_HIGH * high->energy && low->steady &&
           high->steady && fabsf(low->offset) <= LARGEST_OFFSET && fabsf(high->offset) <= LARGEST_OFFSET &&
           fabsf(low->offset) + fabsf(high->offset) <= LARGEST_OFFSETS;
}

/* The key that a block holds, or 0; and the energy and the twist of its tones. */
static char key_in(const int16_t *pcm, float min_energy, float *energy, float *twist) {
    float whole = (float)pm_sum_of_squares(pcm, BLOCK);
    float first[SUMS], second[SUMS];
    heard_tone low, high;
    int row, column;
    if (whole < 2.0f * min_energy) {
        return 0;
    }
    correlate(pcm, first, second);
    row = strongest(first, second, 0);
    column = strongest(first, second, GROUP);
    if (row < 0 || column < 0) {
        return 0;
    }
    low = examine(first, second, row);
    high = examine(first, second, column);
    *energy = low.energy + high.energy;
    *twist = high.energy / (low.energy + 1.0f);
    return belong_together(&low, &high, whole, min_energy) ? KEYPAD[row][column - GROUP] : 0;
}

static void write_event(const pm_dtmf *dtmf, bool pressed, int64_t until, pm_dtmf_event *events, size_t room,
                        size_t *found) {
    if (*found < room) {
        pm_dtmf_event *event = &events[*found];
        event->digit = dtmf->down;
        event->pressed = pressed;
        event->position = dtmf->press_start;
        event->samples = until - dtmf->press_start;
        event->level_dbfs = dtmf->level_dbfs;
        ++*found;
    }
}

/* Follow the keys: two blocks that agree put a key down, two blocks without it release it. A single block of another kind
 * within a press is a disturbance. */
static void end_block(pm_dtmf *dtmf, pm_dtmf_event *events, size_t room, size_t *found) {
    int64_t block = (int64_t)BLOCK * dtmf->per_sample;
    float energy = 0.0f, twist = 0.0f;
    char key = key_in(dtmf->pcm, dtmf->min_energy, &energy, &twist);
    bool agrees = key == dtmf->last && twist <= TWIST_SWING * dtmf->twist && dtmf->twist <= TWIST_SWING * twist;
    int64_t before = dtmf->block_start - block;
    dtmf->block_start += block;
    dtmf->collected = 0;
    if (key != dtmf->down && dtmf->last != dtmf->down) {
        if (dtmf->down != 0) {
            write_event(dtmf, false, before, events, room, found);
            dtmf->down = 0;
        }
        if (key != 0 && agrees) {
            dtmf->down = key;
            dtmf->press_start = before;
            dtmf->level_dbfs = (float)pm_dbfs(energy / BLOCK);
            write_event(dtmf, true, dtmf->block_start, events, room, found);
        }
    }
    dtmf->last = key;
    dtmf->twist = twist;
}

/* Take samples at 8000 Hz. */
static void take(pm_dtmf *dtmf, const int16_t *pcm, size_t n, pm_dtmf_event *events, size_t room, size_t *found) {
    while (n > 0) {
        size_t some = (size_t)pm_min((int64_t)n, BLOCK - dtmf->collected);
        memcpy(dtmf->pcm + dtmf->collected, pcm, some * sizeof *pcm);
        dtmf->collected += (int32_t)some;
        pcm += some;
        n -= some;
        if (dtmf->collected == BLOCK) {
            end_block(dtmf, events, room, found);
        }
    }
}

size_t pm_dtmf_feed(pm_dtmf *dtmf, const int16_t *pcm, size_t n, pm_dtmf_event *events, size_t room) {
    size_t found = 0;
    if (dtmf->per_sample == 1) {
        take(dtmf, pcm, n, events, room, &found);
        return found;
    }
    while (n > 0) {
        int16_t halved[BLOCK + 1];
        size_t some = n < 2 * BLOCK ? n : 2 * BLOCK;
        take(dtmf, halved, pm_halve(&dtmf->halver, pcm, some, halved), events, room, &found);
        pcm += some;
        n -= some;
    }
    return found;
}
