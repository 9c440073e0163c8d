/* RTP packets (RFC 3550) and the telephone events they carry (RFC 4733).
 *
 *   pm_rtp_parse, pm_rtp_reason        a datagram as a view of its parts, or why it is none
 *   pm_rtp_write_header                12 octets: no CSRCs, no extension, no padding
 *   pm_event_parse                     one report on a key
 *
 * The sender is not trusted: no function reads beyond the size it is given, whatever the octets say.
 */
#ifndef PM_RTP_H
#define PM_RTP_H

#include "pm.h"

#define PM_RTP_HEADER_SIZE 12
#define PM_EVENT_SIZE 4

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

/* Find the parts of a packet without copying. `view` is whole only for PM_RTP_OK. */
pm_rtp_result pm_rtp_parse(const uint8_t *octets, size_t size, pm_rtp *view);

/* The refusal in words, for logs and errors. */
const char *pm_rtp_reason(pm_rtp_result result);

/* octets: room for PM_RTP_HEADER_SIZE. payload_type: its lower 7 bits count. */
void pm_rtp_write_header(uint8_t *octets, uint8_t payload_type, bool marker, uint16_t sequence, uint32_t timestamp,
                         uint32_t ssrc);

/* Parse the first report of a telephone-event payload. False: shorter than PM_EVENT_SIZE. */
bool pm_event_parse(const uint8_t *payload, size_t size, pm_event *report);

#endif
