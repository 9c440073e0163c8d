/* Small operations on PCM: levels, zero crossings, fades, stereo, network order.
 *
 *   pm_saturate, pm_dbfs                             one value
 *   pm_sum_of_squares, pm_level_dbfs                 how loud
 *   pm_zero_crossings                                how noisy or high
 *   pm_fade_out                                      no clicks
 *   pm_interleave                                    two mono channels to stereo
 *   pm_l16_encode, pm_l16_decode                     RTP's linear PCM is big-endian (RFC 3551 §4.5.11)
 *   pm_le16_encode, pm_le16_decode                   that of connections is little-endian
 *   pm_level_batch                                   many frames at once
 */
#ifndef PM_PCM_H
#define PM_PCM_H

#include "pm.h"

/* The level of digital silence and of no audio at all; no level is lower. */
#define PM_SILENCE_DBFS (-100.0)

/* Round to the nearest int16, halves to even. */
int16_t pm_saturate(double value);

/* A mean square in dB, 0 dBFS being an RMS of 32768 (dBov of ITU-T G.100.1: a full-scale sine has -3.01). */
double pm_dbfs(double mean_square);

/* Exact. */
uint64_t pm_sum_of_squares(const int16_t *pcm, size_t n);

/* RMS level of the samples. */
double pm_level_dbfs(const int16_t *pcm, size_t n);

/* Changes of sign from one sample to the next; 0 counts as positive. `before`: the sample before the first. */
size_t pm_zero_crossings(const int16_t *pcm, size_t n, int16_t before);

/* Ramp linearly in place; the last sample becomes silent. */
void pm_fade_out(int16_t *pcm, size_t n);

/* stereo: room for 2 * max(left_n, right_n) samples; the shorter channel is filled up with silence. */
void pm_interleave(const int16_t *left, size_t left_n, const int16_t *right, size_t right_n, int16_t *stereo);

/* payload: 2 octets per sample. */
void pm_l16_encode(const int16_t *pcm, uint8_t *payload, size_t n);
void pm_l16_decode(const uint8_t *payload, int16_t *pcm, size_t n);
void pm_le16_encode(const int16_t *pcm, uint8_t *payload, size_t n);
void pm_le16_decode(const uint8_t *payload, int16_t *pcm, size_t n);

/* RMS level of each of `rows` frames of n samples that lie one behind the other. */
void pm_level_batch(const int16_t *pcm, size_t rows, size_t n, float *levels_dbfs);

#endif
