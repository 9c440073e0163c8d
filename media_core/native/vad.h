/* Detection of speech by energy over an adaptive noise floor.
 *
 *   pm_vad_defaults, pm_vad_init     one stream
 *   pm_vad_feed                      audio of any length in, edges out
 *   pm_vad_position                  of the next sample to be fed
 *
 * Decides every 10 ms. Blocks are strong (they can begin speech), weak (they can only belong to it) or neither, by
 * how far they stand out of the noise floor and by fixed levels below which a line is never taken for a voice. Speech
 * begins after `onset_ms` of it within `onset_ms` + 40 ms and ends after `hangover_ms` without it. How the audio is
 * split makes no difference.
 */
#ifndef PM_VAD_H
#define PM_VAD_H

#include "noise_floor.h"
#include "pm.h"

#define PM_VAD_BLOCK_MS 10
/* Edges that n more samples can bring at most: one per block. */
#define PM_VAD_EDGES(n, rate_hz) ((size_t)(n) / ((size_t)(rate_hz) / 100) + 1)

typedef struct {
    int32_t rate_hz;       /* 8000, 16000, 24000 or 48000 */
    int32_t onset_ms;      /* multiples of 10, from 10 to 500 */
    int32_t hangover_ms;
    double min_level_dbfs; /* speech does not begin below this level however quiet the line is */
    int64_t start_position; /* of the first sample fed */
} pm_vad_setup;

typedef struct {
    bool started;     /* speech began; false: it ended */
    int64_t position; /* began: its first sample; ended: one past its last; earlier than the moment of detection */
} pm_vad_edge;

typedef struct {
    int32_t block_samples;
    int32_t collected;      /* samples of the block so far */
    int32_t onset_blocks;
    int32_t hangover_blocks;
    double min_level_dbfs;
    double pole;            /* of the high-pass filter that takes away offsets and the hum of mains */
    double last_output;
    double energy;          /* of the block so far, after that filter */
    int64_t block_start;    /* position of the block being collected */
    int64_t speech_end;     /* one past the last block of speech */
    uint64_t strong;        /* blocks loud enough to begin speech, newest in bit 0 */
    uint64_t weak;          /* blocks loud enough to belong to speech, newest in bit 0 */
    uint64_t active;        /* the same, never cleared by an edge: for amd.h */
    double level_dbfs;      /* of the newest block */
    pm_noise_floor noise;
    int64_t blocks;         /* judged so far */
    int16_t last_input;
    int16_t pending[3];     /* samples of this call that wait for a fourth */
    int32_t pending_n;
    bool speaking;
} pm_vad;

_Static_assert(sizeof(pm_vad) <= 256, "a voice detector fits 256 octets");

/* onset 60 ms, hangover 140 ms, -43 dBFS, position 0. */
pm_vad_setup pm_vad_defaults(int rate_hz);

/* False: a number is out of range. */
bool pm_vad_init(pm_vad *vad, const pm_vad_setup *setup);

/* Take n samples and write the edges found, mostly none; returns how many. Edges beyond `room` are not written, though
 * `speaking` follows them: PM_VAD_EDGES(n, rate) is always enough. */
size_t pm_vad_feed(pm_vad *vad, const int16_t *pcm, size_t n, pm_vad_edge *edges, size_t room);

int64_t pm_vad_position(const pm_vad *vad);

#endif
