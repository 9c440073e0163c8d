/* The codecs that a session can speak.
 *
 *   pm_codec_of      payload type, rates and sizes
 */
#ifndef PM_CODEC_H
#define PM_CODEC_H

#include "pm.h"

#define PM_FRAME_MS 20
/* RTP clock of every codec here; G.722's too, although it carries 16 kHz (RFC 3551 §4.5.2). */
#define PM_RTP_CLOCK_HZ 8000
#define PM_FRAME_TICKS 160
/* PCM samples of the widest frame, and octets of the widest payload: over RTP as many. */
#define PM_FRAME_MAX 320
#define PM_PAYLOAD_MAX 640

/* PM_SLIN is in network order, as RTP carries it; PM_LINEAR and PM_LINEAR16 are little-endian, as connections do. */
typedef enum { PM_ULAW, PM_ALAW, PM_SLIN, PM_G722, PM_LINEAR, PM_LINEAR16 } pm_codec_name;

/* Those that have a payload type over RTP come first. */
#define PM_RTP_CODECS 4
#define PM_NO_RTP_TYPE 255

typedef struct {
    uint8_t payload_type;    /* RFC 3551 §6; PM_NO_RTP_TYPE: it does not travel over RTP */
    int32_t rate_hz;         /* of the PCM */
    int32_t frame_samples;   /* PCM samples in 20 ms */
    int32_t octets_per_tick; /* payload octets per unit of the RTP clock */
} pm_codec;

PM_INLINE pm_codec pm_codec_of(pm_codec_name name) {
    switch (name) {
        case PM_ULAW: return (pm_codec){0, 8000, 160, 1};
        case PM_ALAW: return (pm_codec){8, 8000, 160, 1};
        case PM_SLIN: return (pm_codec){10, 8000, 160, 2};
        case PM_G722: return (pm_codec){9, 16000, 320, 1};
        case PM_LINEAR: return (pm_codec){PM_NO_RTP_TYPE, 8000, 160, 2};
        case PM_LINEAR16: return (pm_codec){PM_NO_RTP_TYPE, 16000, 320, 4};
    }
    return (pm_codec){0, 0, 0, 0};
}

#endif
