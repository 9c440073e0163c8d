/* Streaming change of sampling rate by a linear-phase polyphase FIR with a stated, short delay.
 *
 *   pm_resample_supported                 8000, 16000, 24000, 48000 Hz each to each; 22050 Hz to 8000 and 16000
 *   pm_filter_floats, pm_filter_init      the coefficients of one pair of rates, shared by all its streams
 *   pm_resampler_floats, _init, _reset    one stream
 *   pm_resampler_due, pm_resample         so many samples will come out; take and make them
 *
 * The filter is a sinc under a Kaiser window, 32 samples of the lower rate long: 3.4 kHz passes 8 kHz with -0.3 dB, its
 * image at 4.6 kHz does not (-80 dB). Group delay: half the filter, 2 ms where the lower rate is 8000 Hz, 1 ms where it
 * is 16000 Hz. How a stream is split makes no difference to the output.
 */
#ifndef PM_RESAMPLE_H
#define PM_RESAMPLE_H

#include "pm.h"

typedef struct {
    int32_t from_hz;
    int32_t to_hz;
    int32_t phases; /* output samples per `step` input samples */
    int32_t step;
    int32_t taps;              /* of one phase, in input samples; a multiple of 8 */
    const float *coefficients; /* [phases][taps], each phase oldest input first */
} pm_filter;

typedef struct {
    const pm_filter *filter;
    float *input;      /* the last taps - 1 samples, and those of the call after them */
    size_t room;       /* input samples that one call of pm_resample() may take */
    int64_t phase;     /* next output sample, in 1/phases input samples from the next input sample */
} pm_resampler;

/* Equal rates are not: there is nothing to do. */
bool pm_resample_supported(int from_hz, int to_hz);

/* Floats of memory that the coefficients of this pair take: 0 for pairs that are not supported. */
size_t pm_filter_floats(int from_hz, int to_hz);

/* Compute the coefficients into `memory` (a few ms from 22050 Hz). False: pair not supported. */
bool pm_filter_init(pm_filter *filter, int from_hz, int to_hz, float *memory);

/* Floats of memory that a stream takes which is fed at most `most_n` samples per call. */
size_t pm_resampler_floats(const pm_filter *filter, size_t most_n);

/* Begin as if silence had come before. memory: pm_resampler_floats(filter, most_n) floats. */
void pm_resampler_init(pm_resampler *resampler, const pm_filter *filter, float *memory, size_t most_n);
void pm_resampler_reset(pm_resampler *resampler);

/* Samples that pm_resample() will make of n more. */
size_t pm_resampler_due(const pm_resampler *resampler, size_t n);

/* Take n samples, make pm_resampler_due(n) ones. Returns how many were made; 0, and nothing is taken, where n is more
 * than the stream was made for or `room` is less than what is due. */
size_t pm_resample(pm_resampler *resampler, const int16_t *pcm, size_t n, int16_t *out, size_t room);

#endif
