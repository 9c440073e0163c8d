/* Playout buffer of one RTP stream: puts packets in order and trades as little delay as the network allows.
 *
 *   PM_JITTER_MEMORY, pm_jitter_memory          octets that a buffer of this capacity takes beside its state
 *   pm_jitter_init, pm_jitter_reset             make one; forget the stream (another SSRC), counters go on
 *   pm_jitter_put                               per datagram
 *   pm_jitter_get                               per tick of the playout clock
 *   pm_jitter_depth, pm_jitter_target           what waits now; the delay that the jitter seen lately calls for
 *
 * How the delay moves. Playing starts with the first packet. When a frame is not there in time, nothing is skipped: the
 * next tick waits for it, and the delay has grown by a frame. It shrinks in silence, and otherwise by single frames:
 * soon where more audio is left over after each frame than the observed jitter asks for, and after some calm seconds
 * where any whole frame has been left over all the time; clocks that drift apart are followed so. A hole left by a lost
 * packet keeps its time. Read the socket before the tick, so that what has arrived is put first.
 *
 * For codecs of constant rate. Samples here are units of the RTP clock: 8000 per second for G.711, G.722 and slin.
 */
#ifndef PM_JITTER_H
#define PM_JITTER_H

#include "pm.h"
#include "sequence.h"
#include "transit.h"

/* Memory of a buffer: its samples, and one bit for each. */
#define PM_JITTER_MEMORY(capacity_samples, octets_per_sample) \
    (8 * (((size_t)(capacity_samples) + 63) / 64) + (size_t)(capacity_samples) * (size_t)(octets_per_sample))

/* 16 frames of 20 ms of G.711: beside a delay of 120 ms, packets of up to 100 ms. */
#define PM_JITTER_SMALL_SAMPLES 2560

typedef struct {
    int32_t rate_hz;           /* of the RTP clock, 8000 to 48000 */
    int32_t frame_samples;     /* one tick: 1 sample to 200 ms */
    int32_t octets_per_sample; /* payload octets per unit of the RTP clock: 1 for G.711 and G.722, 2 for slin */
    int32_t max_delay_ms;      /* 20 to 1000 */
    int32_t capacity_samples;  /* the longest delay and twice the longest packet, two frames at least */
} pm_jitter_setup;

typedef enum {
    PM_JITTER_TAKEN,
    PM_JITTER_DUPLICATE, /* has been put before */
    PM_JITTER_LATE,      /* its time has passed, or it is too far out of order to be placed */
    PM_JITTER_UNEVEN,    /* no whole samples: not counted as received */
    PM_JITTER_TOO_LONG,  /* more than half of what the capacity has beside the delay, or a second: not counted */
} pm_jitter_result;

typedef struct {
    int32_t rate_hz;
    int32_t frame_samples;
    int32_t octets_per_sample;
    int32_t max_delay_samples;
    int32_t capacity;      /* samples in the ring */
    int32_t longest;       /* samples in the longest packet taken */
    int32_t packet_samples; /* length of the newest packet, one frame at least */
    uint32_t timestamp;    /* of the newest packet, */
    int64_t position;      /* and where it was placed */
    int64_t play;          /* position of the next frame */
    int64_t end;           /* one past the newest sample */
    uint64_t *audio;       /* one bit per sample of the ring: it holds audio, not a hole or a pause */
    uint8_t *payload;      /* the ring; where there is no audio, an octet says whether it is a pause */
    uint32_t leap_timestamp; /* of the first packet since timestamps last leapt: older ones have no place */
    bool started;
    bool shortened;        /* after calm, a frame was given up: a late packet now would show that to be wrong */
    pm_sequence sequence;
    pm_transit transit;
    int64_t waited;        /* samples for which nothing was there to play, since the last packet */
    int64_t hole_waited;   /* samples for which a hole was held open, since the last frame played */
    int64_t ticks;         /* frames played since the last look at the spare audio */
    int64_t spare;         /* least audio left behind after a frame, since then */
    int64_t calm_ticks;    /* the same two over the longer time */
    int64_t calm_spare;
    int64_t patience_ticks;
    int64_t received;      /* packets put, all of them */
    int64_t late;
    int64_t duplicate;
    int64_t concealed;     /* frames that were not there although the sender had been speaking */
    int64_t discarded;     /* frames dropped to bring the delay down */
} pm_jitter;

_Static_assert(sizeof(pm_jitter) + PM_JITTER_MEMORY(PM_JITTER_SMALL_SAMPLES, 1) <= 3584,
               "a buffer of 16 G.711 frames fits 3.5 KiB");

size_t pm_jitter_memory(const pm_jitter_setup *setup);

/* memory: at least pm_jitter_memory(setup) octets, aligned to 8. False: a number makes no sense, or too little memory.
 */
bool pm_jitter_init(pm_jitter *buffer, const pm_jitter_setup *setup, void *memory, size_t memory_size);

void pm_jitter_reset(pm_jitter *buffer);

/* Take one packet. size: a packet that carries no audio but uses the sequence (a telephone event) is put with size 0,
 * so that it is not counted as lost. arrival: position on the session clock, in units of the RTP clock. A restart of
 * sequence or timestamp is followed by itself (RFC 3550 §A.1). */
pm_jitter_result pm_jitter_put(pm_jitter *buffer, uint16_t sequence, uint32_t timestamp, const uint8_t *payload,
                               size_t size, int64_t arrival);

/* Copy out the frame whose time has come: frame_samples * octets_per_sample octets. False: nothing to play at this tick
 * (lost, late, or the sender is silent): conceal it. */
bool pm_jitter_get(pm_jitter *buffer, uint8_t *frame);

/* Samples that wait, holes included. */
int64_t pm_jitter_depth(const pm_jitter *buffer);

/* Samples, one frame or more. */
int pm_jitter_target(const pm_jitter *buffer);

/* Packets that are missing by their sequence and have not come so far. */
int64_t pm_jitter_lost(const pm_jitter *buffer);

#endif
