#include "feed.h"

#include <string.h>

static uint32_t frame_octets_of(pm_codec_name codec) {
    return (uint32_t)pm_codec_of(codec).octets_per_tick * PM_FRAME_TICKS;
}

static size_t stride_of(uint32_t frame_octets) { return (sizeof(pm_feed_piece) + frame_octets + 7) / 8 * 8; }

size_t pm_feed_memory(pm_codec_name codec) {
    return (sizeof(pm_feed) + PM_FEED_PIECES * stride_of(frame_octets_of(codec)) + 63) / 64 * 64;
}

pm_feed *pm_feed_init(void *memory, pm_codec_name codec) {
    pm_feed *feed = memory;
    memset(memory, 0, pm_feed_memory(codec));
    feed->frame_octets = frame_octets_of(codec);
    feed->tick_octets = feed->frame_octets / PM_FRAME_TICKS;
    feed->pieces = (uint8_t *)memory + sizeof *feed;
    return feed;
}

static pm_feed_piece *piece_at(pm_feed *feed, uint64_t number) {
    return (pm_feed_piece *)(void *)(feed->pieces + number % PM_FEED_PIECES * stride_of(feed->frame_octets));
}

static void put_piece(pm_feed *feed, const uint8_t *octets, size_t size, int64_t arrived_ns) {
    if (pm_ring_room(&feed->ring, PM_FEED_PIECES) == 0) {
        feed->dropped++;
        return;
    }
    pm_feed_piece *piece = piece_at(feed, pm_ring_next_written(&feed->ring));
    piece->arrived_ns = arrived_ns;
    piece->size = (uint32_t)size;
    memcpy(piece->octets, octets, size);
    pm_ring_wrote(&feed->ring, 1);
}

void pm_feed_put(pm_feed *feed, const uint8_t *octets, size_t size, int64_t arrived_ns) {
    if (size % feed->tick_octets != 0 || size > (size_t)PM_RTP_CLOCK_HZ * feed->tick_octets) {
        feed->garbage++;
        return;
    }
    for (size_t at = 0; at < size; at += feed->frame_octets) {
        size_t left = size - at;
        put_piece(feed, octets + at, left < feed->frame_octets ? left : feed->frame_octets, arrived_ns);
    }
}

const pm_feed_piece *pm_feed_look(pm_feed *feed, int64_t latest_ns) {
    if (pm_ring_waiting(&feed->ring) == 0) return NULL;
    const pm_feed_piece *piece = piece_at(feed, pm_ring_next_read(&feed->ring));
    return piece->arrived_ns <= latest_ns ? piece : NULL;
}

void pm_feed_done(pm_feed *feed) { pm_ring_read(&feed->ring, 1); }
