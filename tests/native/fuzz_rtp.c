/* One datagram through every parser that datagrams meet: nothing is read beyond its end, and what is found lies in it. */
#include <string.h>

#include "check.h"
#include "fuzz.h"
#include "rtp.h"

static uint32_t touched;

static void read_all(const uint8_t *octets, size_t size) {
    for (size_t i = 0; i < size; i++) touched += octets[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t size) {
    pm_rtp packet;
    pm_event report;
    pm_rtcp seen = {0};
    pm_keys keys;
    pm_keys_init(&keys);
    pm_rtp_result result = pm_rtp_parse(octets, size, &packet);
    CHECK(pm_rtp_reason(result)[0] != 0);
    if (result == PM_RTP_OK) {
        CHECK(packet.payload >= octets + PM_RTP_HEADER_SIZE);
        CHECK(packet.payload + packet.payload_size <= octets + size);
        read_all(packet.payload, packet.payload_size);
        if (pm_event_parse(packet.payload, packet.payload_size, &report)) {
            (void)pm_keys_follow(&keys, &report, packet.timestamp);
            (void)pm_key(report.event);
        }
    }
    if (pm_is_rtcp(octets, size)) (void)pm_rtcp_parse(octets, size, &seen);
    CHECK(seen.packets <= size / 4);
    return 0;
}
