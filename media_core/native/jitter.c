/* Playout buffer of one RTP stream; positions count samples of the stream as it is to be played. */
#include "jitter.h"

#include <string.h>

/* What a sample of the ring is. Beside AUDIO the first octet of its place says which. */
typedef enum { MISSING = 0, SILENT = 1, AUDIO = 2 } content;

enum {
    /* Frames after which audio beyond the target is given up. */
    HASTE_TICKS = 10,
    /* Frames for which one must have been left over before it is given up; doubled each time that proves wrong. */
    PATIENCE_TICKS = 100,
    MAX_PATIENCE_TICKS = 1600,
};

static const int64_t NO_SPARE_SEEN = (int64_t)1 << 40;

/* By how much a timestamp is ahead of another near it, across the wrap-around. */
static int64_t ahead(uint32_t timestamp, uint32_t other) { return (int32_t)(timestamp - other); }

size_t pm_jitter_memory(const pm_jitter_setup *setup) {
    return setup->capacity_samples > 0 && setup->octets_per_sample > 0
               ? PM_JITTER_MEMORY(setup->capacity_samples, setup->octets_per_sample)
               : 0;
}

static bool makes_sense(const pm_jitter_setup *setup) {
    return setup->rate_hz >= 8000 && setup->rate_hz <= 48000 && setup->frame_samples >= 1 &&
           setup->frame_samples <= setup->rate_hz / 5 && setup->octets_per_sample >= 1 &&
           setup->octets_per_sample <= 4 && setup->max_delay_ms >= 20 && setup->max_delay_ms <= 1000 &&
           setup->capacity_samples <= 16 * setup->rate_hz &&
           setup->capacity_samples >=
               2 * setup->frame_samples + (int64_t)setup->max_delay_ms * setup->rate_hz / 1000;
}

/* Watch afresh what is left over. */
static void forget_spare(pm_jitter *buffer) {
    buffer->ticks = 0;
    buffer->spare = NO_SPARE_SEEN;
    buffer->calm_ticks = 0;
    buffer->calm_spare = NO_SPARE_SEEN;
}

void pm_jitter_reset(pm_jitter *buffer) {
    buffer->started = false;
    buffer->play = 0;
    buffer->end = 0;
    buffer->packet_samples = buffer->frame_samples;
    pm_sequence_reset(&buffer->sequence);
    pm_transit_init(&buffer->transit, buffer->rate_hz);
    buffer->waited = 0;
    buffer->hole_waited = 0;
    forget_spare(buffer);
    buffer->patience_ticks = PATIENCE_TICKS;
    buffer->shortened = false;
}

bool pm_jitter_init(pm_jitter *buffer, const pm_jitter_setup *setup, void *memory, size_t memory_size) {
    if (!makes_sense(setup) || memory_size < pm_jitter_memory(setup)) {
        return false;
    }
    memset(buffer, 0, sizeof *buffer);
    buffer->rate_hz = setup->rate_hz;
    buffer->frame_samples = setup->frame_samples;
    buffer->octets_per_sample = setup->octets_per_sample;
    buffer->max_delay_samples = setup->max_delay_ms * setup->rate_hz / 1000;
    buffer->capacity = setup->capacity_samples;
    buffer->longest = (int32_t)pm_min((buffer->capacity - buffer->max_delay_samples) / 2, setup->rate_hz);
    buffer->audio = memory;
    buffer->payload = (uint8_t *)memory + 8 * (((size_t)buffer->capacity + 63) / 64);
    memset(memory, 0, pm_jitter_memory(setup));
    pm_jitter_reset(buffer);
    return true;
}

int64_t pm_jitter_depth(const pm_jitter *buffer) { return buffer->end - buffer->play; }

int64_t pm_jitter_lost(const pm_jitter *buffer) { return buffer->sequence.lost; }

/* Round the needed delay up to frames, one at least, and keep it within the limit. */
int pm_jitter_target(const pm_jitter *buffer) {
    int frames = (pm_transit_needed(&buffer->transit) + buffer->frame_samples - 1) / buffer->frame_samples;
    return (int)pm_max(buffer->frame_samples, pm_min(frames * buffer->frame_samples, buffer->max_delay_samples));
}

/* --- the ring ---------------------------------------------------------------------------------------------------- */

/* Of `n` samples from place `start` on, how many one word of the bits holds before it or the ring ends. */
static int in_one_word(const pm_jitter *buffer, int start, int n) {
    return (int)pm_min(n, pm_min(64 - start % 64, buffer->capacity - start));
}

static int after(const pm_jitter *buffer, int start, int n) {
    return start + n < buffer->capacity ? start + n : start + n - buffer->capacity;
}

/* Say of samples whether they are audio. */
static void set_audio(pm_jitter *buffer, int start, int n, bool audio) {
    while (n > 0) {
        int some = in_one_word(buffer, start, n);
        uint64_t bits = (~(uint64_t)0 >> (64 - some)) << start % 64;
        if (audio) {
            buffer->audio[start / 64] |= bits;
        } else {
            buffer->audio[start / 64] &= ~bits;
        }
        start = after(buffer, start, some);
        n -= some;
    }
}

/* Of `n` samples, count those before the first that is audio, or is not. */
static int run_of(const pm_jitter *buffer, int start, int n, bool audio) {
    int length = 0;
    while (length < n) {
        int some = in_one_word(buffer, start, n - length);
        uint64_t bits = buffer->audio[start / 64] >> start % 64;
        uint64_t others = (audio ? ~bits : bits) & (~(uint64_t)0 >> (64 - some));
        if (others != 0) {
            return length + __builtin_ctzll(others);
        }
        length += some;
        start = after(buffer, start, some);
    }
    return length;
}

static int place_of(const pm_jitter *buffer, int64_t position) { return (int)(position % buffer->capacity); }

/* Octets of `n` samples from place `start` on that lie before the ring's end. */
static size_t first_octets(const pm_jitter *buffer, int start, int n) {
    return (size_t)pm_min(n, buffer->capacity - start) * (size_t)buffer->octets_per_sample;
}

static void store(pm_jitter *buffer, int64_t position, const uint8_t *payload, int n) {
    int start = place_of(buffer, position);
    size_t first = first_octets(buffer, start, n);
    memcpy(buffer->payload + (size_t)start * (size_t)buffer->octets_per_sample, payload, first);
    memcpy(buffer->payload, payload + first, (size_t)n * (size_t)buffer->octets_per_sample - first);
    set_audio(buffer, start, n, true);
}

static void load(const pm_jitter *buffer, int64_t position, uint8_t *payload, int n) {
    int start = place_of(buffer, position);
    size_t first = first_octets(buffer, start, n);
    memcpy(payload, buffer->payload + (size_t)start * (size_t)buffer->octets_per_sample, first);
    memcpy(payload + first, buffer->payload, (size_t)n * (size_t)buffer->octets_per_sample - first);
}

/* Mark samples as missing or silent. */
static void leave_out(pm_jitter *buffer, int64_t position, int n, content what) {
    if (n > 0) {
        int start = place_of(buffer, position);
        size_t first = first_octets(buffer, start, n);
        memset(buffer->payload + (size_t)start * (size_t)buffer->octets_per_sample, (int)what, first);
        memset(buffer->payload, (int)what, (size_t)n * (size_t)buffer->octets_per_sample - first);
        set_audio(buffer, start, n, false);
    }
}

/* Count how many samples of the next frame are of this content from its start on; all are in the buffer. */
static int run_length(const pm_jitter *buffer, content what) {
    int start = place_of(buffer, buffer->play);
    int length = run_of(buffer, start, buffer->frame_samples, what == AUDIO);
    int same = 0;
    if (what == AUDIO) {
        return length;
    }
    while (same < length && buffer->payload[(size_t)start * (size_t)buffer->octets_per_sample] == what) {
        same++;
        start = after(buffer, start, 1);
    }
    return same;
}

/* Tell whether all of this lies in a hole that is still to be played. */
static bool is_missing(const pm_jitter *buffer, int64_t position, int n) {
    int start;
    if (position < buffer->play || position + n > buffer->end) {
        return false;
    }
    start = place_of(buffer, position);
    if (run_of(buffer, start, n, false) < n) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (buffer->payload[(size_t)after(buffer, start, i) * (size_t)buffer->octets_per_sample] != MISSING) {
            return false;
        }
    }
    return true;
}

/* --- the delay --------------------------------------------------------------------------------------------------- */

/* Drop the oldest audio, if there is any to drop. */
static void discard(pm_jitter *buffer, int64_t n) {
    if (n > 0) {
        buffer->play += n;
        buffer->discarded += (n + buffer->frame_samples - 1) / buffer->frame_samples;
        forget_spare(buffer);
    }
}

/* Give up audio that makes the delay longer than it needs to be. */
static void shorten(pm_jitter *buffer) {
    int target = pm_jitter_target(buffer);
    int64_t excess = buffer->end - buffer->play - target - buffer->packet_samples;
    while (excess >= buffer->frame_samples && run_length(buffer, SILENT) == buffer->frame_samples) {
        buffer->play += buffer->frame_samples;
        excess -= buffer->frame_samples;
    }
    if (excess > buffer->max_delay_samples - target) {
        discard(buffer, excess / buffer->frame_samples * buffer->frame_samples);
    } else if (buffer->ticks >= HASTE_TICKS) {
        if (buffer->spare >= target + buffer->frame_samples) {
            discard(buffer, buffer->frame_samples);
        }
        buffer->ticks = 0;
        buffer->spare = NO_SPARE_SEEN;
    }
    if (buffer->calm_ticks >= buffer->patience_ticks) {
        if (buffer->calm_spare >= buffer->frame_samples) {
            discard(buffer, buffer->frame_samples);
            buffer->shortened = true;
        }
        buffer->calm_ticks = 0;
        buffer->calm_spare = NO_SPARE_SEEN;
    }
}

/* --- packets in -------------------------------------------------------------------------------------------------- */

/* The position of a timestamp near that of the newest packet. */
static int64_t placed(const pm_jitter *buffer, uint32_t timestamp) {
    return buffer->position + ahead(timestamp, buffer->timestamp);
}

/* End a wait, before a packet is placed so far behind the newest one.
 *
 * The ticks that went by without audio have already taken the time of the gap. Without a gap the packet was late, and the
 * delay has grown; so it does where a missing packet may well come yet. */
static void resume(pm_jitter *buffer, int64_t gap) {
    int64_t passed = pm_min(pm_max(gap, 0), buffer->waited);
    bool lost = buffer->sequence.gap > 0;
    if (lost && gap + buffer->frame_samples <= pm_jitter_target(buffer)) {
        passed = 0;
    }
    if (gap <= 0 || lost) {
        buffer->concealed += buffer->waited / buffer->frame_samples;
    }
    if (gap <= 0 && buffer->shortened) {
        buffer->patience_ticks = pm_min(2 * buffer->patience_ticks, MAX_PATIENCE_TICKS);
    }
    if (passed > 0) {
        buffer->end += passed;
        buffer->play = buffer->end;
    }
    buffer->shortened = false;
    buffer->waited = 0;
    forget_spare(buffer);
}

/* Place a packet that is newer than all before it. */
static void append(pm_jitter *buffer, uint32_t timestamp, const uint8_t *payload, int n, int64_t arrival) {
    int64_t position;
    if (!buffer->started) {
        buffer->started = true;
        buffer->timestamp = timestamp;
        buffer->leap_timestamp = timestamp;
        buffer->position = buffer->end;
    }
    position = placed(buffer, timestamp);
    if (buffer->waited > 0) {
        resume(buffer, position - buffer->end);
    }
    /* Timestamps that stand still, go back or leap (a new source behind the same SSRC) say nothing about time. */
    if (position < buffer->end || position > buffer->end + buffer->max_delay_samples) {
        position = buffer->end;
        buffer->leap_timestamp = timestamp;
        pm_transit_restart(&buffer->transit);
    }
    pm_transit_note(&buffer->transit, position, arrival);
    discard(buffer, position + n - buffer->play - buffer->capacity);
    leave_out(buffer, buffer->end, (int)(position - buffer->end), buffer->sequence.gap > 0 ? MISSING : SILENT);
    store(buffer, position, payload, n);
    buffer->sequence.gap = 0;
    buffer->timestamp = timestamp;
    buffer->position = position;
    buffer->end = position + n;
    buffer->packet_samples = (int32_t)pm_max(n, buffer->frame_samples);
}

/* Place a packet that was missing, unless its time has passed. */
static bool fill_in(pm_jitter *buffer, uint32_t timestamp, const uint8_t *payload, int n, int64_t arrival) {
    int64_t position = placed(buffer, timestamp);
    bool known = ahead(timestamp, buffer->leap_timestamp) >= 0 && buffer->end - position <= buffer->rate_hz;
    if (known) {
        pm_transit_note(&buffer->transit, position, arrival);
    }
    if (!known || !is_missing(buffer, position, n)) {
        buffer->late++;
        return false;
    }
    store(buffer, position, payload, n);
    return true;
}

pm_jitter_result pm_jitter_put(pm_jitter *buffer, uint16_t sequence, uint32_t timestamp, const uint8_t *payload,
                               size_t size, int64_t arrival) {
    size_t n = size / (size_t)buffer->octets_per_sample;
    pm_arrival kind;
    if (n * (size_t)buffer->octets_per_sample != size) {
        return PM_JITTER_UNEVEN;
    }
    if (n > (size_t)buffer->longest) {
        return PM_JITTER_TOO_LONG;
    }
    buffer->received++;
    kind = pm_sequence_follow(&buffer->sequence, sequence);
    if (kind == PM_ARRIVAL_DUPLICATE) {
        buffer->duplicate++;
        return PM_JITTER_DUPLICATE;
    }
    if (kind == PM_ARRIVAL_MISPLACED) {
        buffer->late++;
        return PM_JITTER_LATE;
    }
    if (n > 0 && kind == PM_ARRIVAL_REORDERED) {
        return fill_in(buffer, timestamp, payload, (int)n, arrival) ? PM_JITTER_TAKEN : PM_JITTER_LATE;
    }
    if (n > 0) {
        append(buffer, timestamp, payload, (int)n, arrival);
    }
    return PM_JITTER_TAKEN;
}

/* --- frames out -------------------------------------------------------------------------------------------------- */

/* Move on, noting what is left over. */
static void advance(pm_jitter *buffer, int n) {
    buffer->play += n;
    buffer->ticks++;
    buffer->spare = pm_min(buffer->spare, buffer->end - buffer->play);
    buffer->calm_ticks++;
    buffer->calm_spare = pm_min(buffer->calm_spare, buffer->end - buffer->play);
}

/* Go on behind a hole, or wait for what may still come where the jitter makes that likely. */
static void pass_hole(pm_jitter *buffer) {
    int missing = run_length(buffer, MISSING);
    int target = pm_jitter_target(buffer);
    if (missing > 0 && buffer->end - buffer->play <= target && buffer->hole_waited < target) {
        buffer->hole_waited += buffer->frame_samples;
        return;
    }
    advance(buffer, missing > 0 ? missing : buffer->frame_samples);
}

bool pm_jitter_get(pm_jitter *buffer, uint8_t *frame) {
    if (!buffer->started) {
        return false;
    }
    shorten(buffer);
    if (buffer->end - buffer->play >= buffer->frame_samples) {
        int silent = run_length(buffer, SILENT);
        if (silent == buffer->frame_samples) {
            advance(buffer, silent);
            return false;
        }
        /* Speech that begins within the frame begins at once. */
        buffer->play += silent;
    }
    if (buffer->end - buffer->play < buffer->frame_samples) {
        buffer->waited += buffer->frame_samples;
        return false;
    }
    if (run_length(buffer, AUDIO) < buffer->frame_samples) {
        buffer->concealed++;
        pass_hole(buffer);
        return false;
    }
    load(buffer, buffer->play, frame, buffer->frame_samples);
    buffer->hole_waited = 0;
    advance(buffer, buffer->frame_samples);
    return true;
}
