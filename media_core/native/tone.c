/* Single tones of unknown frequency.
 *
 * Most frames are told from tones by their autocorrelation, which costs little and gives a rough frequency. For those
 * that may be tones, frequency and energy come from the phase that the tone gains on a cosine and a sine from one half of
 * the frame to the other.
 */
#include "tone.h"

#include <math.h>
#include <string.h>

#include "pcm.h"

enum {
    RATE_HZ = 8000,
    FRAME = PM_TONE_FRAME,
    HALF = FRAME / 2,
    LANES = 4,
    LEAST_FRAMES = 3,
    /* The frame in which a tone ends holds the rest of it, and the one before may be spoilt by noise. */
    EDGE_FRAMES = 2,
    QUIET_FRAMES = 13,
    CADENCE_QUIET_FRAMES = 35,
    LONGEST_BEEP_FRAMES = 75,
    LONGEST_CADENCE_BEEP_FRAMES = 47,
    REPORT_FRAMES = 100,
    SPEECH_FRAMES = 10,
    MOST_SPEECH_FRAMES = 50,
};

static const double TWO_PI = 6.283185307179586;
static const float LOWEST_HZ = 350.0f;
static const float HIGHEST_HZ = 2600.0f;
static const float LEAST_SHARE = 0.87f;
/* What the autocorrelation, and a look beside the right frequency, must make likely first. */
static const float LIKELY_SHARE = 0.65f;
static const float LIKELY_ERROR = 0.2f;
static const float WORTH_A_LOOK = 0.4f;
static const float MOST_DRIFT = 0.02f;
static const double LEAST_DBFS = -45.0;
static const double LOUD_SNR_DB = 6.0;
/* Silence is so near the noise floor, or below the second. */
static const double QUIET_SNR_DB = 4.0;
static const double QUIET_DBFS = -55.0;
/* Of a line that has not been heard: its first quiet moment takes the place of this. */
static const double FIRST_NOISE_DBFS = -35.0;
/* -60 dBFS. */
static const double QUIETEST_SQUARE = 32.768 * 32.768;
static const int64_t SPEECH_MEMORY_S = 15;
static const int64_t CADENCE_MEMORY_S = 6;
static const int64_t STEP_GAP_MS = 120;

typedef float four_lanes __attribute__((vector_size(LANES * sizeof(float))));

typedef struct {
    float frequency_hz;
    float mean_square;
} line;

bool pm_tone_init(pm_tone *tone, int rate_hz, int64_t start_position) {
    if (rate_hz != RATE_HZ && rate_hz != 2 * RATE_HZ) {
        return false;
    }
    memset(tone, 0, sizeof *tone);
    tone->per_sample = rate_hz / RATE_HZ;
    tone->frame_start = start_position;
    tone->last_cadence = INT64_MIN / 2;
    tone->last_step = INT64_MIN / 2;
    pm_noise_floor_init(&tone->noise, FIRST_NOISE_DBFS);
    pm_halver_init(&tone->halver);
    return true;
}

/* --- one frame --------------------------------------------------------------------------------------------------- */

PM_CLONES
static int64_t product_at_lag(const int16_t *pcm, int lag) {
    int64_t sum = 0;
    for (int i = 0; i < FRAME - lag; i++) {
        sum += (int32_t)pcm[i] * pcm[i + lag];
    }
    return sum;
}

/* Correlation of the frame with itself so many samples later, over its energy. */
static float likeness(const int16_t *pcm, int lag, float energy) {
    return (float)product_at_lag(pcm, lag) / energy * (float)FRAME / (float)(FRAME - lag);
}

/* Tell whether the frame may be a tone in white noise, and of which frequency, roughly.
 *
 * A sine that has this share of the energy has correlations share * cos(lag * w). The first two give share and w, the third
 * and sixth must agree with them. */
static bool may_be_tonal(const int16_t *pcm, float energy, double *near_hz) {
    float one = likeness(pcm, 1, energy), two = likeness(pcm, 2, energy);
    float share = 0.5f * (sqrtf(two * two + 8.0f * one * one) - two);
    float w;
    if (share < LIKELY_SHARE) {
        return false;
    }
    w = acosf(fmaxf(-1.0f, fminf(1.0f, one / share)));
    *near_hz = w * RATE_HZ / TWO_PI;
    return fabsf(likeness(pcm, 3, energy) - share * cosf(3.0f * w)) < LIKELY_ERROR &&
           fabsf(likeness(pcm, 6, energy) - share * cosf(6.0f * w)) < LIKELY_ERROR;
}

/* Correlate half a frame with cosine and sine of w per sample, whose phase is `phase` at its first. */
static void correlate(const int16_t *pcm, double w, double phase, double *cosine_sum, double *sine_sum) {
    float step_cos = (float)cos(LANES * w), step_sin = (float)sin(LANES * w);
    four_lanes cosine, sine, cosines = {0.0f}, sines = {0.0f};
    for (int lane = 0; lane < LANES; lane++) {
        cosine[lane] = (float)cos(phase + lane * w);
        sine[lane] = (float)sin(phase + lane * w);
    }
    for (int i = 0; i < HALF; i += LANES) {
        four_lanes samples = {pcm[i], pcm[i + 1], pcm[i + 2], pcm[i + 3]};
        four_lanes turned = cosine * step_cos - sine * step_sin;
        cosines += samples * cosine;
        sines += samples * sine;
        sine = cosine * step_sin + sine * step_cos;
        cosine = turned;
    }
    *cosine_sum = (cosines[0] + cosines[1]) + (cosines[2] + cosines[3]);
    *sine_sum = (sines[0] + sines[1]) + (sines[2] + sines[3]);
}

/* Frequency and mean square of the sine near a frequency: within 50 Hz, half a turn from half to half of the frame. */
static line examine(const int16_t *pcm, double near_hz) {
    double w = TWO_PI * near_hz / RATE_HZ;
    double c1, s1, c2, s2, amplitude;
    line found;
    correlate(pcm, w, 0.0, &c1, &s1);
    correlate(pcm + HALF, w, HALF * w, &c2, &s2);
    amplitude = (sqrt(c1 * c1 + s1 * s1) + sqrt(c2 * c2 + s2 * s2)) * 2.0 / FRAME;
    found.frequency_hz = (float)(near_hz + atan2(c2 * s1 - s2 * c1, c1 * c2 + s1 * s2) * RATE_HZ / (TWO_PI * HALF));
    found.mean_square = (float)(amplitude * amplitude / 2.0);
    return found;
}

/* Tell whether a frame of this energy holds one tone and hardly anything else. */
static bool is_tonal(const int16_t *pcm, float energy, line *found) {
    double near_hz;
    if (!may_be_tonal(pcm, energy, &near_hz)) {
        return false;
    }
    *found = examine(pcm, near_hz);
    if (found->mean_square * FRAME < WORTH_A_LOOK * energy) {
        return false;
    }
    /* The second look is at the frequency that the first one found: being off costs some of the energy. */
    *found = examine(pcm, found->frequency_hz);
    return found->frequency_hz >= LOWEST_HZ && found->frequency_hz <= HIGHEST_HZ &&
           found->mean_square * FRAME >= LEAST_SHARE * energy;
}

/* --- what a tone is ---------------------------------------------------------------------------------------------- */

static bool between(float value, float lowest, float highest) { return value >= lowest && value <= highest; }

static bool may_be_cadence(float frequency_hz) { return between(frequency_hz, 400.0f, 480.0f); }

static int64_t rate_of(const pm_tone *tone) { return (int64_t)RATE_HZ * tone->per_sample; }

static int64_t frames_of(const pm_tone *tone, int64_t samples) { return samples / (FRAME * tone->per_sample); }

/* Which tone of the rising triplet (ITU-T E.180) this frequency is: 1 to 3, or 0. */
static int step_of(float frequency_hz) {
    if (between(frequency_hz, 890.0f, 1010.0f)) {
        return 1;
    }
    if (between(frequency_hz, 1340.0f, 1460.0f)) {
        return 2;
    }
    return between(frequency_hz, 1740.0f, 1840.0f) ? 3 : 0;
}

/* What a tone is whatever follows it; PM_TONE_BEEP where that must decide. */
static pm_tone_kind kind_by_itself(const pm_tone *tone, const pm_tone_event *event) {
    int64_t frames = frames_of(tone, event->samples);
    /* ITU-T T.30: 0.5 s of 1100 Hz; V.25: seconds of 2100 Hz, whose phase may turn every 450 ms. */
    bool calling = between(event->frequency_hz, 1062.0f, 1138.0f) && frames >= 21 && frames <= 29;
    bool answering = between(event->frequency_hz, 2080.0f, 2120.0f) && frames >= 20;
    if (may_be_cadence(event->frequency_hz) &&
        (frames > LONGEST_CADENCE_BEEP_FRAMES ||
         event->position - tone->last_cadence < CADENCE_MEMORY_S * rate_of(tone))) {
        return PM_TONE_CADENCE;
    }
    if (calling || answering) {
        return PM_TONE_FAX;
    }
    if (frames > LONGEST_BEEP_FRAMES) {
        return PM_TONE_LONG;
    }
    return tone->step >= 2 && step_of(event->frequency_hz) == tone->step ? PM_TONE_SIT : PM_TONE_BEEP;
}

/* --- runs of frames ---------------------------------------------------------------------------------------------- */

typedef struct {
    pm_tone_event *events;
    size_t room;
    size_t found;
} reports;

static void report(const pm_tone_event *event, reports *out) {
    if (out->found < out->room) {
        out->events[out->found++] = *event;
    }
}

static pm_tone_event run_as_event(const pm_tone *tone) {
    pm_tone_event event;
    memset(&event, 0, sizeof event);
    event.frequency_hz = tone->frequency_hz;
    event.level_dbfs = (float)pm_dbfs(tone->mean_square);
    event.position = tone->run_start;
    event.samples = (int64_t)tone->run_frames * FRAME * tone->per_sample;
    return event;
}

/* Say what the tone being watched was. */
static void settle(pm_tone *tone, pm_tone_kind kind, reports *out) {
    tone->pending.kind = tone->pending.kind == PM_TONE_BEEP ? kind : tone->pending.kind;
    if (may_be_cadence(tone->pending.frequency_hz)) {
        tone->last_cadence = tone->pending.position + tone->pending.samples;
    }
    report(&tone->pending, out);
    tone->is_pending = false;
}

/* A run has become a tone: the third frame of it has come. */
static void note_step(pm_tone *tone, reports *out) {
    int step = step_of(tone->frequency_hz);
    bool follows = step == tone->step + 1 && tone->run_start - tone->last_step <= STEP_GAP_MS * rate_of(tone) / 1000;
    tone->step = follows || step == 1 ? step : 0;
    if (tone->is_pending) {
        settle(tone, follows && step > 1 ? PM_TONE_SIT : PM_TONE_NO_SILENCE, out);
    }
}

/* End the run of tonal frames at `end`. */
static void end_run(pm_tone *tone, int64_t end, reports *out) {
    if (tone->run_frames >= LEAST_FRAMES) {
        pm_tone_event event = run_as_event(tone);
        if (!tone->reported) {
            event.kind = kind_by_itself(tone, &event);
            tone->pending = event;
            tone->is_pending = true;
            tone->quiet_frames = 0;
        }
        tone->last_step = tone->step > 0 ? end : tone->last_step;
    } else if (tone->run_frames > 0 && tone->is_pending) {
        settle(tone, PM_TONE_NO_SILENCE, out);
    }
    tone->run_frames = 0;
    tone->reported = false;
}

static bool same_frequency(float one_hz, float other_hz) { return fabsf(one_hz - other_hz) <= MOST_DRIFT * other_hz; }

/* Go on with the tone being watched after the loss of one frame. */
static void resume_run(pm_tone *tone, int64_t start) {
    tone->run_start = tone->pending.position;
    tone->run_frames = (int32_t)frames_of(tone, start - tone->run_start);
    tone->is_pending = false;
}

/* Take a tonal frame. */
static void note_tonal(pm_tone *tone, const line *found, int64_t start, reports *out) {
    if (tone->run_frames > 0 && !same_frequency(found->frequency_hz, tone->frequency_hz)) {
        end_run(tone, start, out);
    }
    if (tone->run_frames == 0 && tone->is_pending && tone->quiet_frames < EDGE_FRAMES &&
        same_frequency(found->frequency_hz, tone->pending.frequency_hz)) {
        resume_run(tone, start);
    }
    if (tone->run_frames == 0) {
        tone->run_start = start;
        tone->frequency_hz = 0.0f;
        tone->mean_square = 0.0f;
    }
    tone->run_frames++;
    tone->frequency_hz += (found->frequency_hz - tone->frequency_hz) / (float)tone->run_frames;
    tone->mean_square += (found->mean_square - tone->mean_square) / (float)tone->run_frames;
    if (tone->run_frames == LEAST_FRAMES) {
        note_step(tone, out);
    }
    if (tone->run_frames >= REPORT_FRAMES && !tone->reported) {
        pm_tone_event event = run_as_event(tone);
        event.kind = kind_by_itself(tone, &event);
        tone->last_cadence = may_be_cadence(event.frequency_hz) ? start : tone->last_cadence;
        report(&event, out);
        tone->reported = true;
    }
}

/* Take a frame without a tone: what it says of the tone before it. */
static void note_other(pm_tone *tone, bool loud, bool quiet, int64_t start, reports *out) {
    bool spoken = tone->speech_frames >= SPEECH_FRAMES;
    end_run(tone, start, out);
    if (tone->is_pending) {
        int32_t needed = may_be_cadence(tone->pending.frequency_hz) ? CADENCE_QUIET_FRAMES : QUIET_FRAMES;
        tone->quiet_frames++;
        if (tone->quiet_frames > EDGE_FRAMES && !quiet) {
            settle(tone, PM_TONE_NO_SILENCE, out);
        } else if (tone->quiet_frames >= needed) {
            settle(tone, spoken ? PM_TONE_BEEP : PM_TONE_NO_SPEECH, out);
        }
    }
    if (start - tone->last_speech > SPEECH_MEMORY_S * rate_of(tone)) {
        tone->speech_frames = 0;
    }
    if (loud) {
        tone->speech_frames = (int32_t)pm_min(tone->speech_frames + 1, MOST_SPEECH_FRAMES);
        tone->last_speech = start;
    }
}

/* The noise floor wants blocks of 10 ms. Digital silence counts as a quiet line: many recordings pause so. */
static void note_noise(pm_tone *tone, const double *halves) {
    for (int i = 0; i < 2; i++) {
        double mean_square = fmax(halves[i] / HALF, QUIETEST_SQUARE);
        pm_noise_floor_note(&tone->noise, mean_square, pm_dbfs(mean_square));
    }
}

static void end_frame(pm_tone *tone, reports *out) {
    double halves[2] = {(double)pm_sum_of_squares(tone->pcm, HALF), (double)pm_sum_of_squares(tone->pcm + HALF, HALF)};
    float energy = (float)(halves[0] + halves[1]);
    double level = pm_dbfs((double)energy / FRAME);
    double noise = tone->noise.level_dbfs;
    bool loud = level >= LEAST_DBFS && level >= noise + LOUD_SNR_DB;
    bool quiet = level <= QUIET_DBFS || level <= noise + QUIET_SNR_DB;
    int64_t start = tone->frame_start;
    line found;
    tone->frame_start += (int64_t)FRAME * tone->per_sample;
    tone->collected = 0;
    if (loud && is_tonal(tone->pcm, energy, &found)) {
        note_tonal(tone, &found, start, out);
    } else {
        note_other(tone, loud, quiet, start, out);
    }
    note_noise(tone, halves);
}

/* Take samples at 8000 Hz. */
static void take(pm_tone *tone, const int16_t *pcm, size_t n, reports *out) {
    while (n > 0) {
        size_t some = (size_t)pm_min((int64_t)n, FRAME - tone->collected);
        memcpy(tone->pcm + tone->collected, pcm, some * sizeof *pcm);
        tone->collected += (int32_t)some;
        pcm += some;
        n -= some;
        if (tone->collected == FRAME) {
            end_frame(tone, out);
        }
    }
}

size_t pm_tone_feed(pm_tone *tone, const int16_t *pcm, size_t n, pm_tone_event *events, size_t room) {
    reports out = {events, room, 0};
    if (tone->per_sample == 1) {
        take(tone, pcm, n, &out);
        return out.found;
    }
    while (n > 0) {
        int16_t halved[FRAME + 1];
        size_t some = n < 2 * FRAME ? n : 2 * FRAME;
        take(tone, halved, pm_halve(&tone->halver, pcm, some, halved), &out);
        pcm += some;
        n -= some;
    }
    return out.found;
}
