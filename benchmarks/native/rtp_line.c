/* A call's datagrams through parser and jitter buffer as the engine does it: no Python objects. For media_rtp.py. */
#include <stdint.h>
#include <string.h>

#include "native/jitter.h"
#include "native/rtp.h"

enum { FRAME = 160 };

/* Take n datagrams of `size` octets that lie one behind the other, one per tick; return how many frames were played. */
int64_t play_line(const uint8_t *datagrams, size_t size, size_t n) {
    static const pm_jitter_setup SETUP = {8000, FRAME, 1, 120, PM_JITTER_SMALL_SAMPLES};
    static uint64_t memory[PM_JITTER_MEMORY(PM_JITTER_SMALL_SAMPLES, 1) / 8];
    uint8_t frame[FRAME];
    int64_t frames = 0;
    pm_jitter buffer;
    if (!pm_jitter_init(&buffer, &SETUP, memory, sizeof memory)) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        pm_rtp packet;
        if (pm_rtp_parse(datagrams + i * size, size, &packet) == PM_RTP_OK) {
            pm_jitter_put(&buffer, packet.sequence, packet.timestamp, packet.payload, packet.payload_size,
                          (int64_t)i * FRAME);
        }
        frames += pm_jitter_get(&buffer, frame);
    }
    while (pm_jitter_get(&buffer, frame)) {
        frames++;
    }
    return frames;
}
