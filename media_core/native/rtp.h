/* RTP packets (RFC 3550), the telephone events they carry (RFC 4733), and enough of RTCP to count what the peer says.
 *
 *   pm_rtp_parse, pm_rtp_reason        a datagram as a view of its parts, or why it is none
 *   pm_rtp_write_header                12 octets: no CSRCs, no extension, no padding
 *   pm_event_parse                     one report on a key
 *   pm_key, pm_keys_init, pm_keys_follow   many reports, one press
 *   pm_rtcp_parse                      reports and goodbyes in a compound packet
 *
 * The sender is not trusted: no function reads beyond the size it is given, whatever the octets say.
 */
#ifndef PM_RTP_H
#define PM_RTP_H

#include "pm.h"

#define PM_RTP_HEADER_SIZE 12
#define PM_EVENT_SIZE 4
/* Event codes 0 to 15 are the keys, in this order. */
#define PM_KEYS "0123456789*#ABCD"

typedef enum {
    PM_RTP_OK,
    PM_RTP_TOO_SHORT,
    PM_RTP_WRONG_VERSION,
    PM_RTP_IS_RTCP, /* RFC 5761 §4: second octet 192 to 223 */
    PM_RTP_CSRCS_CUT,
    PM_RTP_EXTENSION_CUT,
    PM_RTP_BAD_PADDING,
} pm_rtp_result;

typedef struct {
    uint32_t timestamp;
    uint32_t ssrc;
    uint16_t sequence;
    uint8_t payload_type; /* 0 to 127 */
    bool marker;
    const uint8_t *payload; /* within the datagram, without CSRCs, extension and padding */
    size_t payload_size;    /* may be 0 */
} pm_rtp;

typedef struct {
    uint8_t event;     /* 0 to 15 are keys, 16 is a hook flash */
    bool end;          /* the key is up: this report is the last (sent three times) */
    uint8_t volume;    /* 0 to 63 stand for 0 to -63 dBm0 */
    uint16_t duration; /* so far, in units of the RTP clock */
} pm_event;

/* Which press the reports of one stream are about. */
typedef struct {
    bool known;  /* a press has been reported */
    bool down;   /* and its end has not */
    uint8_t event;
    uint32_t timestamp;
} pm_keys;

typedef enum {
    PM_KEY_NOTHING, /* a repetition, or no key */
    PM_KEY_PRESSED,
    PM_KEY_RELEASED,
    PM_KEY_TAPPED, /* pressed and released: all reports before the last were lost */
} pm_key_change;

typedef struct {
    uint32_t packets; /* of all kinds */
    uint32_t sender_reports;
    uint32_t receiver_reports;
    uint32_t goodbyes;
    uint32_t blocks;       /* reception report blocks in them; what follows is from the last one */
    uint32_t about_ssrc;   /* the stream it is about */
    uint8_t fraction_lost; /* in 1/256 since the report before */
    int32_t total_lost;    /* 24 bits, signed */
    uint32_t jitter;       /* in units of the RTP clock */
} pm_rtcp;

/* Find the parts of a packet without copying. `view` is whole only for PM_RTP_OK. */
pm_rtp_result pm_rtp_parse(const uint8_t *octets, size_t size, pm_rtp *view);

/* The refusal in words, for logs and errors. */
const char *pm_rtp_reason(pm_rtp_result result);

/* octets: room for PM_RTP_HEADER_SIZE. payload_type: its lower 7 bits count. */
void pm_rtp_write_header(uint8_t *octets, uint8_t payload_type, bool marker, uint16_t sequence, uint32_t timestamp,
                         uint32_t ssrc);

/* Parse the first report of a telephone-event payload. False: shorter than PM_EVENT_SIZE. */
bool pm_event_parse(const uint8_t *payload, size_t size, pm_event *report);

/* The key of an event code as a letter of PM_KEYS, or 0. */
char pm_key(uint8_t event);

void pm_keys_init(pm_keys *keys);

/* Take one report with the timestamp of its packet. Reports that come out of order repeat nothing. */
pm_key_change pm_keys_follow(pm_keys *keys, const pm_event *report, uint32_t timestamp);

/* Whether a datagram on the RTP port is RTCP. */
bool pm_is_rtcp(const uint8_t *octets, size_t size);

/* Add up a compound packet. False where it is none (RFC 3550 §A.2) or a length in it is wrong; then what came before
 * the fault has been counted. `seen` starts as all zeros and may be fed packet after packet. */
bool pm_rtcp_parse(const uint8_t *octets, size_t size, pm_rtcp *seen);

#endif
