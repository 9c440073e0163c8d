/* Streaming change of sampling rate.
 *
 * One linear-phase low-pass filter runs at the least common multiple of both rates; only the taps that meet an input
 * sample are computed. Sums run in an order that depends on neither the processor nor how the stream is split.
 */
#include "resample.h"

#include <math.h>
#include <string.h>

enum {
    /* Length of the filter in samples of the lower rate: delay is half of it. */
    LENGTH = 32,
    /* Taps of a phase are a multiple of this. */
    LANES = 8,
    /* Outputs of one phase that are made together. */
    BLOCK = 32,
    MOST_STREAMS = 6,
};

static const double PI = 3.141592653589793;
/* Kaiser's beta: stop band below -80 dB. */
static const double BETA = 8.0;
/* Cut-off in half the lower rate: at 8000 Hz, 3.4 kHz passes (-0.3 dB) and its image at 4.6 kHz does not (-80 dB). */
static const double CUT_OFF = 0.96;

static int greatest_divisor(int one, int other) {
    while (other != 0) {
        int rest = one % other;
        one = other;
        other = rest;
    }
    return one;
}

bool pm_resample_supported(int from_hz, int to_hz) {
    if (from_hz == 22050) {
        return to_hz == 8000 || to_hz == 16000;
    }
    return pm_rate_known(from_hz) && pm_rate_known(to_hz) && from_hz != to_hz;
}

/* Everything about a filter but its coefficients. */
static pm_filter shape_of(int from_hz, int to_hz) {
    int divisor = greatest_divisor(from_hz, to_hz);
    double ratio = fmax(1.0, (double)from_hz / to_hz);
    pm_filter filter = {.from_hz = from_hz, .to_hz = to_hz, .phases = to_hz / divisor, .step = from_hz / divisor};
    filter.taps = LANES * (int32_t)ceil(LENGTH * ratio / LANES);
    return filter;
}

size_t pm_filter_floats(int from_hz, int to_hz) {
    pm_filter shape;
    if (!pm_resample_supported(from_hz, to_hz)) {
        return 0;
    }
    shape = shape_of(from_hz, to_hz);
    return (size_t)shape.phases * (size_t)shape.taps;
}

/* Modified Bessel function of the first kind, order 0, by its power series. */
static double bessel_i0(double x) {
    double term = 1.0, total = 1.0;
    for (int k = 1; term > 1e-12 * total; k++) {
        term *= (x / (2 * k)) * (x / (2 * k));
        total += term;
    }
    return total;
}

/* Impulse response at t, unscaled; t and half_length in samples of the lower rate. */
static double windowed_sinc(double t, double half_length) {
    double edge = 1.0 - (t / half_length) * (t / half_length);
    double angle = PI * CUT_OFF * t;
    double sinc = t != 0.0 ? sin(angle) / angle : 1.0;
    /* Exactly at the edge one end would have no partner at the other: 0 keeps the phase linear. */
    return edge > 0.0 ? sinc * bessel_i0(BETA * sqrt(edge)) : 0.0;
}

/* Sample the impulse response where the input samples lie, with a gain of exactly 1 at 0 Hz. */
static void fill_phase(const pm_filter *filter, int phase, float *row) {
    double ratio = fmax(1.0, (double)filter->from_hz / filter->to_hz);
    double half = filter->taps / 2.0, total = 0.0;
    for (int k = 0; k < filter->taps; k++) {
        row[k] = (float)windowed_sinc((k - (half - 1.0) - (double)phase / filter->phases) / ratio, half / ratio);
        total += row[k];
    }
    for (int k = 0; k < filter->taps; k++) {
        row[k] = (float)(row[k] / total);
    }
}

bool pm_filter_init(pm_filter *filter, int from_hz, int to_hz, float *memory) {
    if (!pm_resample_supported(from_hz, to_hz)) {
        return false;
    }
    *filter = shape_of(from_hz, to_hz);
    for (int phase = 0; phase < filter->phases; phase++) {
        fill_phase(filter, phase, memory + (size_t)phase * (size_t)filter->taps);
    }
    filter->coefficients = memory;
    return true;
}

/* Ratios of small numbers are made many samples of one phase at a time, from one stream of input per step. */
static bool by_streams(const pm_filter *filter) {  return filter->step <= MOST_STREAMS; }

/* Room of one stream: rows of `step` samples, and what the lanes of the last outputs read beyond them. */
static size_t stream_floats(const pm_filter *filter, size_t most_n) {
    return ((size_t)filter->taps + most_n) / (size_t)filter->step + 1 + BLOCK;
}

size_t pm_resampler_floats(const pm_filter *filter, size_t most_n) {
    size_t streams = by_streams(filter) ? (size_t)filter->step * stream_floats(filter, most_n) : 0;
    return (size_t)filter->taps - 1 + most_n + streams;
}

void pm_resampler_init(pm_resampler *resampler, const pm_filter *filter, float *memory, size_t most_n) {
    resampler->filter = filter;
    resampler->input = memory;
    resampler->room = most_n;
    memset(memory, 0, pm_resampler_floats(filter, most_n) * sizeof *memory);
    pm_resampler_reset(resampler);
}

void pm_resampler_reset(pm_resampler *resampler) {
    memset(resampler->input, 0, ((size_t)resampler->filter->taps - 1) * sizeof(float));
    resampler->phase = 0;
}

size_t pm_resampler_due(const pm_resampler *resampler, size_t n) {
    int64_t span = (int64_t)n * resampler->filter->phases - resampler->phase;
    return span > 0 ? (size_t)((span + resampler->filter->step - 1) / resampler->filter->step) : 0;
}

typedef float four_lanes __attribute__((vector_size(16)));
#ifdef PM_AVX2
typedef float eight_lanes __attribute__((vector_size(32)));
#endif

/* Round to the nearest int32, halves to even: what is added leaves no room for a fraction. Below 2**22 only. */
static const float NO_FRACTION = 12582912.0f;

PM_INLINE int16_t round_to_int16(float value) {
    int32_t rounded = (int32_t)((value + NO_FRACTION) - NO_FRACTION);
    rounded = rounded < 32767 ? rounded : 32767;
    return (int16_t)(rounded > -32768 ? rounded : -32768);
}

PM_CLONES
static void widen(const int16_t *pcm, float *input, size_t n) {
    for (size_t i = 0; i < n; i++) {
        input[i] = pcm[i];
    }
}

/* --- any ratio: one output at a time ----------------------------------------------------------------------------- */

/* Multiply and add, in lanes along the filter. */
PM_INLINE float dot(const float *samples, const float *coefficients, int taps) {
    four_lanes sums = {0.0f}, more_sums = {0.0f};
    for (int k = 0; k < taps; k += 8) {
        four_lanes some, more, by, more_by;
        memcpy(&some, samples + k, sizeof some);
        memcpy(&more, samples + k + 4, sizeof more);
        memcpy(&by, coefficients + k, sizeof by);
        memcpy(&more_by, coefficients + k + 4, sizeof more_by);
        sums += some * by;
        more_sums += more * more_by;
    }
    sums += more_sums;
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

/* Make `due` samples, the first `first_phase` behind the start of the input. */
PM_CLONES
static void convert_one_by_one(const pm_filter *filter, const float *input, int64_t first_phase, int16_t *out,
                               size_t due) {
    int64_t newest = first_phase / filter->phases;
    int phase = (int)(first_phase % filter->phases);
    for (size_t i = 0; i < due; i++) {
        const float *row = filter->coefficients + (size_t)phase * (size_t)filter->taps;
        out[i] = round_to_int16(dot(input + newest, row, filter->taps));
        for (phase += filter->step; phase >= filter->phases; phase -= filter->phases) {
            newest++;
        }
    }
}

/* --- small ratios: many outputs of the same phase at a time ----------------------------------------------------- */

/* Put every `step`-th sample into a stream of its own. */
static void split(const float *input, size_t n, size_t step, float *streams, size_t stream_room) {
    for (size_t stream = 0; stream < step; stream++) {
        float *to = streams + stream * stream_room;
        for (size_t i = stream; i < n; i += step) {
            *to++ = input[i];
        }
    }
}

/* Make BLOCK samples of one phase, the first of which begins at `start` of the input; in lanes along the outputs.
 *
 * LANES_TYPE fills the processor's registers: the compiler would keep wider vectors in memory. The sums are the same for
 * any type. */
#define DEFINE_BLOCK_OF_A_PHASE(NAME, LANES_TYPE)                                                                    \
    PM_INLINE void NAME(const float *streams, size_t stream_room, size_t start, const float *row, size_t taps,       \
                        size_t step, float *made) {                                                                  \
        enum { GROUPS = BLOCK * sizeof(float) / sizeof(LANES_TYPE), WIDTH = sizeof(LANES_TYPE) / sizeof(float) };    \
        LANES_TYPE sums[GROUPS] = {{0.0f}};                                                                          \
        for (size_t lag = 0; lag < step; lag++) {                                                                    \
            const float *samples = streams + (start + lag) % step * stream_room + (start + lag) / step;              \
            for (size_t k = lag; k < taps; k += step, samples++) {                                                   \
                for (int group = 0; group < GROUPS; group++) {                                                       \
                    LANES_TYPE some;                                                                                 \
                    memcpy(&some, samples + group * WIDTH, sizeof some);                                             \
                    sums[group] += some * row[k];                                                                    \
                }                                                                                                    \
            }                                                                                                        \
        }                                                                                                            \
        memcpy(made, sums, sizeof sums);                                                                             \
    }

DEFINE_BLOCK_OF_A_PHASE(block_of_a_phase, four_lanes)

typedef void make_block(const float *streams, size_t stream_room, size_t start, const float *row, size_t taps,
                        size_t step, float *made);

PM_INLINE void convert_by_streams(const pm_filter *filter, const float *streams, size_t stream_room,
                                  int64_t first_phase, int16_t *out, size_t due, make_block *make) {
    size_t phases = (size_t)filter->phases, step = (size_t)filter->step, taps = (size_t)filter->taps;
    for (size_t first = 0; first < phases && first < due; first++) {
        size_t behind = (size_t)first_phase + first * step;
        const float *row = filter->coefficients + behind % phases * taps;
        size_t start = behind / phases;
        for (size_t i = first; i < due; i += BLOCK * phases, start += BLOCK * step) {
            float made[BLOCK];
            size_t wanted = (due - i + phases - 1) / phases;
            make(streams, stream_room, start, row, taps, step, made);
            wanted = wanted < BLOCK ? wanted : BLOCK;
            for (size_t lane = 0; lane < wanted; lane++) {
                out[i + lane * phases] = round_to_int16(made[lane]);
            }
        }
    }
}

static void convert_default(const pm_filter *filter, const float *streams, size_t stream_room, int64_t first_phase,
                            int16_t *out, size_t due) {
    convert_by_streams(filter, streams, stream_room, first_phase, out, due, block_of_a_phase);
}

#ifdef PM_AVX2
DEFINE_BLOCK_OF_A_PHASE(wide_block_of_a_phase, eight_lanes)

PM_AVX2
static void convert_avx2(const pm_filter *filter, const float *streams, size_t stream_room, int64_t first_phase,
                         int16_t *out, size_t due) {
    convert_by_streams(filter, streams, stream_room, first_phase, out, due, wide_block_of_a_phase);
}
#endif

static void convert_splitting(const pm_resampler *resampler, size_t n, int16_t *out, size_t due) {
    const pm_filter *filter = resampler->filter;
    size_t room = stream_floats(filter, resampler->room);
    float *streams = resampler->input + (size_t)filter->taps - 1 + resampler->room;
    split(resampler->input, n, (size_t)filter->step, streams, room);
#ifdef PM_AVX2
    if (__builtin_cpu_supports("avx2")) {
        convert_avx2(filter, streams, room, resampler->phase, out, due);
        return;
    }
#endif
    convert_default(filter, streams, room, resampler->phase, out, due);
}

size_t pm_resample(pm_resampler *resampler, const int16_t *pcm, size_t n, int16_t *out, size_t room) {
    const pm_filter *filter = resampler->filter;
    size_t due = pm_resampler_due(resampler, n);
    size_t history = (size_t)filter->taps - 1;
    if (n > resampler->room || due > room) {
        return 0;
    }
    widen(pcm, resampler->input + history, n);
    if (by_streams(filter)) {
        convert_splitting(resampler, history + n, out, due);
    } else {
        convert_one_by_one(filter, resampler->input, resampler->phase, out, due);
    }
    memmove(resampler->input, resampler->input + n, history * sizeof(float));
    resampler->phase += (int64_t)due * filter->step - (int64_t)n * filter->phases;
    return due;
}
