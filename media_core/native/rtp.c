/* RTP and telephone events: every length is checked before it is used. */
#include "rtp.h"

enum {
    VERSION_MASK = 0xC0,
    VERSION_BITS = 0x80,
    PADDING_BIT = 0x20,
    EXTENSION_BIT = 0x10,
    COUNT_MASK = 0x0F,
    MARKER_BIT = 0x80,
    /* RTP stays clear of RTCP's packet types by not using payload types 64 to 95 (RFC 5761 §4). */
    RTCP_FIRST = 192,
    RTCP_LAST = 223,
};

static uint16_t read_16(const uint8_t *octets) { return (uint16_t)(octets[0] << 8 | octets[1]); }

static uint32_t read_32(const uint8_t *octets) { return (uint32_t)read_16(octets) << 16 | read_16(octets + 2); }

static void write_16(uint8_t *octets, uint16_t value) {
    octets[0] = (uint8_t)(value >> 8);
    octets[1] = (uint8_t)value;
}

static void write_32(uint8_t *octets, uint32_t value) {
    write_16(octets, (uint16_t)(value >> 16));
    write_16(octets + 2, (uint16_t)value);
}

/* Return the offset behind CSRCs and header extension, or 0 and the refusal. */
static size_t payload_start(const uint8_t *octets, size_t size, pm_rtp_result *result) {
    size_t start = PM_RTP_HEADER_SIZE + 4 * (size_t)(octets[0] & COUNT_MASK);
    if (start > size) {
        *result = PM_RTP_CSRCS_CUT;
        return 0;
    }
    if (octets[0] & EXTENSION_BIT) {
        if (size - start < 4) {
            *result = PM_RTP_EXTENSION_CUT;
            return 0;
        }
        start += 4 + 4 * (size_t)read_16(octets + start + 2);
        if (start > size) {
            *result = PM_RTP_EXTENSION_CUT;
            return 0;
        }
    }
    return start;
}

pm_rtp_result pm_rtp_parse(const uint8_t *octets, size_t size, pm_rtp *view) {
    pm_rtp_result result = PM_RTP_OK;
    size_t start, padding = 0;
    if (size < PM_RTP_HEADER_SIZE) {
        return PM_RTP_TOO_SHORT;
    }
    if ((octets[0] & VERSION_MASK) != VERSION_BITS) {
        return PM_RTP_WRONG_VERSION;
    }
    if (octets[1] >= RTCP_FIRST && octets[1] <= RTCP_LAST) {
        return PM_RTP_IS_RTCP;
    }
    start = payload_start(octets, size, &result);
    if (start == 0) {
        return result;
    }
    if (octets[0] & PADDING_BIT) {
        padding = octets[size - 1];
        if (padding == 0 || padding > size - start) {
            return PM_RTP_BAD_PADDING;
        }
    }
    view->payload_type = octets[1] & (uint8_t)~MARKER_BIT;
    view->marker = (octets[1] & MARKER_BIT) != 0;
    view->sequence = read_16(octets + 2);
    view->timestamp = read_32(octets + 4);
    view->ssrc = read_32(octets + 8);
    view->payload = octets + start;
    view->payload_size = size - start - padding;
    return PM_RTP_OK;
}

const char *pm_rtp_reason(pm_rtp_result result) {
    switch (result) {
    case PM_RTP_OK:
        return "an RTP packet";
    case PM_RTP_TOO_SHORT:
        return "shorter than an RTP header";
    case PM_RTP_WRONG_VERSION:
        return "not RTP version 2";
    case PM_RTP_IS_RTCP:
        return "an RTCP packet, not RTP";
    case PM_RTP_CSRCS_CUT:
        return "shorter than its CSRC count says";
    case PM_RTP_EXTENSION_CUT:
        return "shorter than its header extension says";
    case PM_RTP_BAD_PADDING:
        return "padding longer than its payload, or of no octets";
    }
    return "no RTP packet";
}

void pm_rtp_write_header(uint8_t *octets, uint8_t payload_type, bool marker, uint16_t sequence, uint32_t timestamp,
                         uint32_t ssrc) {
    octets[0] = VERSION_BITS;
    octets[1] = (uint8_t)((payload_type & ~MARKER_BIT) | (marker ? MARKER_BIT : 0));
    write_16(octets + 2, sequence);
    write_32(octets + 4, timestamp);
    write_32(octets + 8, ssrc);
}

bool pm_event_parse(const uint8_t *payload, size_t size, pm_event *report) {
    if (size < PM_EVENT_SIZE) {
        return false;
    }
    report->event = payload[0];
    report->end = (payload[1] & 0x80) != 0;
    report->volume = payload[1] & 0x3F;
    report->duration = read_16(payload + 2);
    return true;
}
