/* RTP, telephone events and RTCP: every length is checked before it is used. */
#include "rtp.h"

#include <string.h>

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
    RTCP_SENDER_REPORT = 200,
    RTCP_RECEIVER_REPORT = 201,
    RTCP_GOODBYE = 203,
    RTCP_COUNT_MASK = 0x1F,
    RTCP_HEADER_SIZE = 8,
    RTCP_SENDER_SIZE = 20,
    RTCP_BLOCK_SIZE = 24,
    KEYS = 16,
    /* Reports so much older than the newest press, in units of the RTP clock, are no latecomers but a clock set anew. */
    LATECOMER = 40000,
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

bool pm_is_rtcp(const uint8_t *octets, size_t size) {
    return size >= 2 && (octets[0] & VERSION_MASK) == VERSION_BITS && octets[1] >= RTCP_FIRST && octets[1] <= RTCP_LAST;
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
    if (pm_is_rtcp(octets, size)) {
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

char pm_key(uint8_t event) { return event < KEYS ? PM_KEYS[event] : 0; }

void pm_keys_init(pm_keys *keys) { memset(keys, 0, sizeof *keys); }

pm_key_change pm_keys_follow(pm_keys *keys, const pm_event *report, uint32_t timestamp) {
    uint32_t older = keys->timestamp - timestamp;
    if (report->event >= KEYS || (keys->known && older > 0 && older <= LATECOMER)) {
        return PM_KEY_NOTHING;
    }
    if (!keys->known || older != 0) {
        keys->known = true;
        keys->down = !report->end;
        keys->event = report->event;
        keys->timestamp = timestamp;
        return report->end ? PM_KEY_TAPPED : PM_KEY_PRESSED;
    }
    if (report->event == keys->event && report->end && keys->down) {
        keys->down = false;
        return PM_KEY_RELEASED;
    }
    return PM_KEY_NOTHING;
}

/* Take the last reception report block of a report (RFC 3550 §6.4.1); false where the blocks are cut. */
static bool note_blocks(const uint8_t *blocks, size_t size, size_t count, pm_rtcp *seen) {
    const uint8_t *last;
    if (count == 0) {
        return true;
    }
    if (size < RTCP_BLOCK_SIZE * count) {
        return false;
    }
    last = blocks + RTCP_BLOCK_SIZE * (count - 1);
    seen->blocks += (uint32_t)count;
    seen->about_ssrc = read_32(last);
    seen->fraction_lost = last[4];
    seen->total_lost = (int32_t)(read_32(last + 4) & 0xFFFFFF);
    if (seen->total_lost & 0x800000) {
        seen->total_lost -= 0x1000000;
    }
    seen->jitter = read_32(last + 12);
    return true;
}

/* Take one packet of a compound one; `size` is what its own length says, header included. */
static bool note_rtcp(const uint8_t *octets, size_t size, pm_rtcp *seen) {
    size_t count = octets[0] & RTCP_COUNT_MASK;
    seen->packets++;
    switch (octets[1]) {
    case RTCP_SENDER_REPORT:
        if (size < RTCP_HEADER_SIZE + RTCP_SENDER_SIZE) {
            return false;
        }
        seen->sender_reports++;
        return note_blocks(octets + RTCP_HEADER_SIZE + RTCP_SENDER_SIZE, size - RTCP_HEADER_SIZE - RTCP_SENDER_SIZE,
                           count, seen);
    case RTCP_RECEIVER_REPORT:
        if (size < RTCP_HEADER_SIZE) {
            return false;
        }
        seen->receiver_reports++;
        return note_blocks(octets + RTCP_HEADER_SIZE, size - RTCP_HEADER_SIZE, count, seen);
    case RTCP_GOODBYE:
        seen->goodbyes++;
        return true;
    default:
        return true;
    }
}

bool pm_rtcp_parse(const uint8_t *octets, size_t size, pm_rtcp *seen) {
    /* A compound packet begins with a report. */
    if (size < RTCP_HEADER_SIZE || (octets[1] != RTCP_SENDER_REPORT && octets[1] != RTCP_RECEIVER_REPORT)) {
        return false;
    }
    while (size > 0) {
        size_t length;
        if (size < 4 || (octets[0] & VERSION_MASK) != VERSION_BITS) {
            return false;
        }
        length = 4 + 4 * (size_t)read_16(octets + 2);
        if (length > size || !note_rtcp(octets, length, seen)) {
            return false;
        }
        octets += length;
        size -= length;
    }
    return true;
}
