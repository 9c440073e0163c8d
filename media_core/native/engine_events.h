/* What the media thread tells Python: one bounded ring for all sessions of an engine.
 *
 * The last quarter of the ring is for what is told once: a mark, an alarm, an edge of speech. What the next event of its
 * kind says again (a block is there to read) is left out before, so that a reader who stood still misses nothing.
 *
 *   pm_events_memory, pm_events_init     for so many events that wait
 *   media thread:    pm_events_tell      never waits; what is told once and does not fit is counted and left out
 *                    pm_events_fit       whether something told once fits; only this thread fills the ring
 *   control thread:  pm_events_waiting, pm_events_fetch     how many wait; the oldest ones
 *
 * Positions are samples on the session's clock, at its codec's rate.
 */
#ifndef PM_ENGINE_EVENTS_H
#define PM_ENGINE_EVENTS_H

#include "pm.h"
#include "ring.h"

typedef enum {
    PM_SPEECH_STARTED = 1, /* position: its first sample, earlier than now */
    PM_SPEECH_STOPPED,     /* position: one past its last sample, earlier than now */
    PM_DIGIT_PRESSED,      /* code: the key; position; value: see pm_key_way */
    PM_DIGIT_RELEASED,     /* the same; samples: how long it was down */
    PM_TONE_HEARD,         /* code: pm_tone_kind; position, samples, frequency_hz, level_dbfs */
    PM_BLOCK_READY,        /* position: of the block, samples; level_dbfs; value: its zero crossings */
    PM_MARK_REACHED,       /* value: the mark; position: one past its last sample */
    PM_PLAYOUT_STARTED,    /* position: of the first sample after silence or a clear */
    PM_UNDERRUN,           /* position: where a pause of at most 100 ms inside our speech ended */
    PM_PEER_SILENT,        /* position: now; value: ms without a packet */
    PM_ALARM_REACHED,      /* position: the one asked for */
    PM_CALLEE_CHANGED,     /* position: now; value: words so far; code: 1 in a word, 0 in a pause */
    PM_TAP_READY,          /* position: now; there is recorded audio to fetch */
    PM_TAP_ENDED,          /* the same, and nothing follows */
    PM_LATE_TICK,          /* of no session; value: lateness in µs; samples: ticks run at once to catch up */
    PM_PEER_GONE,          /* position: now; code: pm_gone; only over AudioSocket */
} pm_event_kind;

/* How a key came: a telephone event (RFC 4733), a tone in the audio, a message, which tells of presses only. */
typedef enum { PM_KEY_BY_EVENT, PM_KEY_BY_TONE, PM_KEY_BY_MESSAGE } pm_key_way;

/* How a connection ended: without a word, by a message that says so, by one that says that something failed, by what is no
 * message. */
typedef enum { PM_GONE_CLOSED = 1, PM_GONE_HUNG_UP, PM_GONE_FAILED, PM_GONE_LOST_ITS_PLACE } pm_gone;

typedef struct {
    uint64_t session; /* handle; 0: the engine */
    int64_t position;
    int64_t value;
    int32_t samples;
    float level_dbfs;
    float frequency_hz;
    uint16_t kind;
    uint16_t code;
} pm_engine_event;

_Static_assert(sizeof(pm_engine_event) == 40, "an event has the size that Python is told");

typedef struct {
    pm_ring ring;
    pm_engine_event *events;
    uint32_t capacity;
    _Atomic uint64_t dropped;
} pm_events;

size_t pm_events_memory(uint32_t capacity);

/* memory: pm_events_memory(capacity) octets, aligned to 8. */
void pm_events_init(pm_events *events, uint32_t capacity, void *memory);

void pm_events_tell(pm_events *events, const pm_engine_event *event);

PM_INLINE bool pm_events_fit(pm_events *events) { return pm_ring_room(&events->ring, events->capacity) > 0; }

PM_INLINE size_t pm_events_waiting(pm_events *events) { return (size_t)pm_ring_waiting(&events->ring); }

/* Returns how many were copied, `room` at most. */
size_t pm_events_fetch(pm_events *events, pm_engine_event *copies, size_t room);

#endif
