#include "playout.h"

#include <string.h>

#include "g711.h"
#include "pcm.h"

/* The word: 22 bits of epoch, "a fade is still to be played", "speech is going on", 40 bits of samples played (795 days
 * at 16 kHz). */
#define PLAYED_BITS 40
#define PLAYED_MASK (((uint64_t)1 << PLAYED_BITS) - 1)
#define SPEAKING ((uint64_t)1 << PLAYED_BITS)
#define FADING ((uint64_t)1 << (PLAYED_BITS + 1))
#define EPOCH_SHIFT (PLAYED_BITS + 2)
#define EPOCH_MASK 0x3FFFFFu

/* What a frame will hold, before it is taken. */
typedef struct {
    bool cleared;   /* a clear has come since the last frame */
    int32_t fade;   /* samples of what it dropped */
    int32_t fresh;  /* samples from `first` on */
    uint32_t first; /* piece, */
    int32_t offset; /* and where in it */
    uint32_t pushed;
} plan;

static int64_t played_of(uint64_t word) { return (int64_t)(word & PLAYED_MASK); }

static uint32_t epoch_of(uint64_t word) { return (uint32_t)(word >> EPOCH_SHIFT) & EPOCH_MASK; }

static uint64_t word_of(uint32_t epoch, uint64_t flags, int64_t played) {
    return (uint64_t)(epoch & EPOCH_MASK) << EPOCH_SHIFT | flags | ((uint64_t)played & PLAYED_MASK);
}

void pm_playout_init(pm_playout *playout, int rate_hz, int frame_samples, pm_piece *pieces) {
    memset(playout, 0, sizeof *playout);
    playout->fade_samples = PM_PLAYOUT_FADE_MS * rate_hz / 1000;
    playout->frame_samples = frame_samples;
    playout->pieces = pieces;
    playout->idle_frames = PM_PLAYOUT_GAP_FRAMES + 1;
}

/* --- control thread ------------------------------------------------------------------------------------- */

int64_t pm_playout_push(pm_playout *playout, const uint8_t *octets, int32_t samples, pm_form form) {
    uint32_t pushed = atomic_load_explicit(&playout->pushed, memory_order_relaxed);
    if (pushed - pm_playout_released(playout) == PM_PLAYOUT_PIECES) return -1;
    playout->accepted += samples;
    playout->pieces[pushed % PM_PLAYOUT_PIECES] = (pm_piece){octets, samples, form, playout->accepted};
    atomic_store_explicit(&playout->pushed, pushed + 1, memory_order_release);
    return playout->accepted;
}

void pm_playout_clear(pm_playout *playout) {
    uint64_t word = atomic_load_explicit(&playout->word, memory_order_acquire);
    uint32_t pushed = atomic_load_explicit(&playout->pushed, memory_order_relaxed);
    uint32_t epoch;
    int32_t fade;
    do {
        fade = 0;
        if (word & FADING) {
            fade = playout->fade; /* the clear before this one has not been heard yet */
        } else if (word & SPEAKING) {
            fade = (int32_t)pm_min(playout->fade_samples, playout->accepted - played_of(word));
        }
        epoch = epoch_of(word) + 1;
        atomic_store_explicit(&playout->cut[epoch & 1].first, pushed, memory_order_relaxed);
        atomic_store_explicit(&playout->cut[epoch & 1].fade, fade, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&playout->word, &word,
                                                    word_of(epoch, fade > 0 ? FADING : 0, played_of(word)),
                                                    memory_order_acq_rel, memory_order_acquire));
    playout->fade = fade;
    playout->accepted = played_of(word) + fade;
}

int64_t pm_playout_played(pm_playout *playout) {
    return played_of(atomic_load_explicit(&playout->word, memory_order_acquire));
}

int64_t pm_playout_queued(pm_playout *playout) { return playout->accepted - pm_playout_played(playout); }

uint32_t pm_playout_released(pm_playout *playout) {
    return atomic_load_explicit(&playout->taken, memory_order_acquire);
}

/* --- media thread --------------------------------------------------------------------------------------- */

static int32_t samples_from(const pm_playout *playout, uint32_t piece, uint32_t pushed, int32_t offset, int32_t most) {
    int32_t found = -offset;
    for (; piece != pushed && found < most; piece++) {
        found += playout->pieces[piece % PM_PLAYOUT_PIECES].samples;
    }
    return (int32_t)pm_max(0, pm_min(found, most));
}

static plan plan_frame(pm_playout *playout, uint64_t word) {
    plan made = {.first = playout->head, .offset = playout->offset};
    made.cleared = epoch_of(word) != playout->epoch;
    if (made.cleared) {
        uint32_t side = epoch_of(word) & 1;
        made.first = atomic_load_explicit(&playout->cut[side].first, memory_order_relaxed);
        made.offset = 0;
        made.fade = atomic_load_explicit(&playout->cut[side].fade, memory_order_relaxed);
    }
    made.pushed = atomic_load_explicit(&playout->pushed, memory_order_acquire);
    made.fresh =
        samples_from(playout, made.first, made.pushed, made.offset, playout->frame_samples - made.fade);
    return made;
}

static void copy_pcm(const pm_piece *piece, int32_t offset, int16_t *pcm, int32_t samples) {
    switch (piece->form) {
        case PM_FORM_PCM: memcpy(pcm, piece->octets + 2 * (size_t)offset, 2 * (size_t)samples); break;
        case PM_FORM_ULAW: pm_ulaw_decode(piece->octets + offset, pcm, (size_t)samples); break;
        case PM_FORM_ALAW: pm_alaw_decode(piece->octets + offset, pcm, (size_t)samples); break;
    }
}

/* Copy samples that lie in the pieces from this one on. */
static void copy(const pm_playout *playout, uint32_t number, int32_t offset, int16_t *pcm, int32_t samples) {
    for (; samples > 0; number++, offset = 0) {
        const pm_piece *piece = &playout->pieces[number % PM_PLAYOUT_PIECES];
        int32_t step = (int32_t)pm_min(samples, piece->samples - offset);
        copy_pcm(piece, offset, pcm, step);
        pcm += step;
        samples -= step;
    }
}

/* Leave the pieces behind that have been played to their end, and note how far the next one has been. */
static void reach_marks(pm_playout *playout, const plan *taken, int64_t played, pm_playout_frame *frame) {
    for (playout->head = taken->first; playout->head != taken->pushed; playout->head++) {
        const pm_piece *piece = &playout->pieces[playout->head % PM_PLAYOUT_PIECES];
        playout->offset = piece->samples - (int32_t)(piece->mark - played);
        if (piece->mark > played) return;
        frame->reached[frame->marks].mark = piece->mark;
        frame->reached[frame->marks].offset = frame->played - (int32_t)(played - piece->mark);
        frame->marks++;
    }
    playout->offset = 0;
}

/* The whole frame, where it lies in one encoded piece. */
static const uint8_t *encoded_frame(const pm_playout *playout, const plan *taken, pm_form *form) {
    const pm_piece *piece = &playout->pieces[taken->first % PM_PLAYOUT_PIECES];
    if (taken->fresh < playout->frame_samples || piece->form == PM_FORM_PCM) return NULL;
    if (piece->samples - taken->offset < taken->fresh) return NULL;
    *form = piece->form;
    return piece->octets + taken->offset;
}

static void fill(pm_playout *playout, const plan *taken, int16_t *pcm, pm_playout_frame *frame) {
    int32_t filled = taken->fade + taken->fresh;
    frame->payload = encoded_frame(playout, taken, &frame->form);
    if (frame->payload != NULL) return;
    if (taken->fade > 0) {
        copy(playout, playout->head, playout->offset, pcm, taken->fade);
        pm_fade_out(pcm, (size_t)taken->fade);
    }
    copy(playout, taken->first, taken->offset, pcm + taken->fade, taken->fresh);
    memset(pcm + filled, 0, (size_t)(playout->frame_samples - filled) * sizeof *pcm);
}

void pm_playout_take(pm_playout *playout, int16_t *pcm, pm_playout_frame *frame) {
    uint64_t word = atomic_load_explicit(&playout->word, memory_order_acquire);
    uint64_t then;
    plan taken;
    /* Only now: the frame before may have been a payload that its taker read after this function. */
    atomic_store_explicit(&playout->taken, playout->head, memory_order_release);
    do {
        taken = plan_frame(playout, word);
        bool speaking = taken.fresh == playout->frame_samples - taken.fade;
        then = word_of(epoch_of(word), speaking ? SPEAKING : 0, played_of(word) + taken.fade + taken.fresh);
    } while (then != word && !atomic_compare_exchange_weak_explicit(&playout->word, &word, then, memory_order_acq_rel,
                                                                    memory_order_acquire));
    bool spoke = (word & SPEAKING) != 0;
    bool starts = taken.fresh > 0 && !spoke;
    if (taken.cleared) playout->idle_frames = PM_PLAYOUT_GAP_FRAMES + 1;
    frame->played = taken.fade + taken.fresh;
    frame->started_at = starts ? taken.fade : -1;
    frame->underrun = starts && playout->idle_frames <= PM_PLAYOUT_GAP_FRAMES;
    frame->marks = 0;
    playout->idle_frames = taken.fresh > 0 ? 0 : (int32_t)pm_min(playout->idle_frames, PM_PLAYOUT_GAP_FRAMES) + 1;
    playout->epoch = epoch_of(word);
    fill(playout, &taken, pcm, frame);
    reach_marks(playout, &taken, played_of(then), frame);
}
