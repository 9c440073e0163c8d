/* The caller's audio where somebody else has the connection and hands over what comes: pieces on their way to the media
 * thread.
 *
 *   pm_feed_memory, pm_feed_init     room for 1.3 s
 *   control thread:  pm_feed_put     a message of any length up to a second; never waits
 *   media thread:    pm_feed_look    the oldest piece that had come by a time
 *                    pm_feed_done    give its place back
 *
 * While the media thread stands still for longer than that, what comes is left out and counted.
 */
#ifndef PM_FEED_H
#define PM_FEED_H

#include "codec.h"
#include "numbering.h"
#include "ring.h"

#define PM_FEED_PIECES 64

typedef struct {
    int64_t arrived_ns; /* on the engine's clock */
    uint32_t size;      /* octets: 20 ms or less */
    uint8_t octets[];
} pm_feed_piece;

typedef struct {
    pm_ring ring;
    uint32_t tick_octets;  /* of the codec */
    uint32_t frame_octets;
    uint64_t dropped;      /* pieces; the control thread's, as the next one */
    uint64_t garbage;      /* messages of no whole ticks, or longer than a second */
    pm_numbering numbering; /* the media thread's */
    uint8_t *pieces;
} pm_feed;

size_t pm_feed_memory(pm_codec_name codec);

/* memory: pm_feed_memory() octets, aligned to 64; the feed lies at its start. */
pm_feed *pm_feed_init(void *memory, pm_codec_name codec);

void pm_feed_put(pm_feed *feed, const uint8_t *octets, size_t size, int64_t arrived_ns);

/* NULL: none. */
const pm_feed_piece *pm_feed_look(pm_feed *feed, int64_t latest_ns);

void pm_feed_done(pm_feed *feed);

#endif
