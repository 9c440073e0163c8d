/* What is waiting to be played to the caller, by reference; the media thread takes one frame of it every 20 ms.
 *
 *   pm_playout_init
 *   control thread:  pm_playout_push      queue a piece behind the others and learn its mark
 *                    pm_playout_clear     drop what is queued; speech that is going on fades out in 5 ms
 *                    pm_playout_end, pm_playout_played, pm_playout_queued, pm_playout_released
 *   media thread:    pm_playout_take      the next frame, silence where nothing is queued
 *
 * A piece's audio stays where it is: it must not move or change until pm_playout_released() has counted it.
 *
 * One word holds what both threads decide on: the epoch, which every clear begins anew, and how many samples have been
 * played. A frame is taken by exchanging that word, and so is a clear; whichever comes second sees the other and counts
 * again. So a mark is exact even where a clear and a frame meet.
 */
#ifndef PM_PLAYOUT_H
#define PM_PLAYOUT_H

#include <stdatomic.h>

#include "pm.h"

#define PM_PLAYOUT_PIECES 64
#define PM_PLAYOUT_FADE_MS 5
/* Silence up to this long between two pieces is an underrun: a pause inside speech, not between utterances. */
#define PM_PLAYOUT_GAP_FRAMES 5

typedef enum { PM_FORM_PCM, PM_FORM_ULAW, PM_FORM_ALAW } pm_form;

typedef struct {
    const uint8_t *octets; /* PCM need not be aligned */
    int32_t samples;
    pm_form form;
    int64_t mark; /* value of `played` when its last sample has been taken */
} pm_piece;

typedef struct {
    _Alignas(64) _Atomic uint64_t word;   /* epoch, fading, speaking, played: see playout.c */
    _Atomic uint32_t pushed;              /* pieces, by the control thread */
    struct {
        _Atomic uint32_t first;           /* piece after those that the clear drops */
        _Atomic int32_t fade;             /* samples that are still played of them */
    } cut[2];                             /* by the epoch's lowest bit */
    int64_t accepted;                     /* the control thread's: `played` when all that is queued has been taken */
    int32_t fade;                         /* of the newest clear */
    int32_t fade_samples;

    _Alignas(64) _Atomic uint32_t taken;  /* pieces whose audio the media thread no longer needs */
    uint32_t head;                        /* the media thread's: the piece being played, */
    int32_t offset;                       /* and how much of it has been */
    uint32_t epoch;
    int32_t idle_frames;
    int32_t frame_samples;

    pm_piece *pieces;                     /* ring of PM_PLAYOUT_PIECES */
} pm_playout;

typedef struct {
    const uint8_t *payload; /* the whole frame as it lies in one encoded piece; `pcm` is then not filled */
    pm_form form;           /* of payload */
    int32_t played;         /* samples that came from the queue; 0 when the frame is idle silence */
    int32_t started_at;     /* offset of the first sample of something played after silence or after a clear, or -1 */
    bool underrun;          /* it comes at most 100 ms after the piece before */
    int32_t marks;
    struct {
        int64_t mark;
        int32_t offset;     /* one past its last sample */
    } reached[PM_PLAYOUT_PIECES];
} pm_playout_frame;

/* pieces: PM_PLAYOUT_PIECES of them. */
void pm_playout_init(pm_playout *playout, int rate_hz, int frame_samples, pm_piece *pieces);

/* Returns the mark, or -1 where there is no place for another piece. Zero samples are a mark and nothing else. */
int64_t pm_playout_push(pm_playout *playout, const uint8_t *octets, int32_t samples, pm_form form);

void pm_playout_clear(pm_playout *playout);

/* The mark of all that is queued. */
PM_INLINE int64_t pm_playout_end(const pm_playout *playout) { return playout->accepted; }

/* Samples taken since the start, idle silence not counted. For either thread. */
int64_t pm_playout_played(pm_playout *playout);

/* Samples still to be taken. */
int64_t pm_playout_queued(pm_playout *playout);

/* How many pieces are done with since the start, modulo 2^32. */
uint32_t pm_playout_released(pm_playout *playout);

/* pcm: room for one frame. */
void pm_playout_take(pm_playout *playout, int16_t *pcm, pm_playout_frame *frame);

#endif
