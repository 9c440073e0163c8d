/* Small operations on PCM. */
#include "pcm.h"

#include <math.h>
#include <string.h>

static const double FULL_SCALE_SQUARE = 32768.0 * 32768.0;

int16_t pm_saturate(double value) {
    if (value >= 32767.0) {
        return 32767;
    }
    if (value <= -32768.0) {
        return -32768;
    }
    return (int16_t)lrint(value);
}

double pm_dbfs(double mean_square) {
    if (mean_square <= 0.0) {
        return PM_SILENCE_DBFS;
    }
    return fmax(10.0 * log10(mean_square / FULL_SCALE_SQUARE), PM_SILENCE_DBFS);
}

/* The squares of a pair of samples fit 32 bits without a sign, and multiply-add of pairs is one instruction. */
PM_CLONES
uint64_t pm_sum_of_squares(const int16_t *pcm, size_t n) {
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += (uint32_t)((int32_t)pcm[i] * pcm[i]);
    }
    return total;
}

double pm_level_dbfs(const int16_t *pcm, size_t n) {
    return n == 0 ? PM_SILENCE_DBFS : pm_dbfs((double)pm_sum_of_squares(pcm, n) / (double)n);
}

PM_CLONES
size_t pm_zero_crossings(const int16_t *pcm, size_t n, int16_t before) {
    uint32_t crossings = 0;
    if (n == 0) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        crossings += (uint16_t)(pcm[i] ^ pcm[i - 1]) >> 15;
    }
    return crossings + ((uint16_t)(pcm[0] ^ before) >> 15);
}

void pm_fade_out(int16_t *pcm, size_t n) {
    for (size_t i = 0; i < n; i++) {
        pcm[i] = pm_saturate(pcm[i] * ((double)(n - 1 - i) / (double)n));
    }
}

static void place(int16_t *channel, const int16_t *pcm, size_t n, size_t whole_n) {
    for (size_t i = 0; i < n; i++) {
        channel[2 * i] = pcm[i];
    }
    for (size_t i = n; i < whole_n; i++) {
        channel[2 * i] = 0;
    }
}

void pm_interleave(const int16_t *left, size_t left_n, const int16_t *right, size_t right_n, int16_t *stereo) {
    size_t n = left_n > right_n ? left_n : right_n;
    place(stereo, left, left_n, n);
    place(stereo + 1, right, right_n, n);
}

PM_CLONES
void pm_l16_encode(const int16_t *pcm, uint8_t *payload, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t sample = (uint16_t)pcm[i];
        payload[2 * i] = (uint8_t)(sample >> 8);
        payload[2 * i + 1] = (uint8_t)sample;
    }
}

PM_CLONES
void pm_l16_decode(const uint8_t *payload, int16_t *pcm, size_t n) {
    for (size_t i = 0; i < n; i++) {
        pcm[i] = (int16_t)(uint16_t)(payload[2 * i] << 8 | payload[2 * i + 1]);
    }
}

PM_CLONES
void pm_le16_encode(const int16_t *pcm, uint8_t *payload, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint16_t sample = (uint16_t)pcm[i];
        payload[2 * i] = (uint8_t)sample;
        payload[2 * i + 1] = (uint8_t)(sample >> 8);
    }
}

PM_CLONES
void pm_le16_decode(const uint8_t *payload, int16_t *pcm, size_t n) {
    for (size_t i = 0; i < n; i++) {
        pcm[i] = (int16_t)(uint16_t)(payload[2 * i + 1] << 8 | payload[2 * i]);
    }
}

void pm_level_batch(const int16_t *pcm, size_t rows, size_t n, float *levels_dbfs) {
    for (size_t row = 0; row < rows; row++) {
        levels_dbfs[row] = (float)pm_level_dbfs(pcm + row * n, n);
    }
}
