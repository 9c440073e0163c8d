/* AudioSocket's messages as they come over a connection, however they were split on the way.
 *
 *   pm_audiosocket_init            begin at the start of a message
 *   pm_audiosocket_read            from octets to the next thing that is to be known
 *   pm_audiosocket_write_header    of a message of ours
 *
 * A message is one octet of kind, two of length (big-endian) and the payload. Nothing of the sender is trusted: audio is
 * handed on in pieces of at most 20 ms as it comes, everything else is passed over, so that no length makes us keep much.
 */
#ifndef PM_AUDIOSOCKET_H
#define PM_AUDIOSOCKET_H

#include "codec.h"

#define PM_AUDIOSOCKET_HEADER_SIZE 3
/* A second of 16 kHz audio; Asterisk sends 20 ms at a time. What is longer is none of its messages. */
#define PM_AUDIOSOCKET_LONGEST 32000
#define PM_AUDIOSOCKET_HANGUP 0x00
#define PM_AUDIOSOCKET_KEY 0x03
#define PM_AUDIOSOCKET_SLIN 0x10
#define PM_AUDIOSOCKET_SLIN16 0x12
#define PM_AUDIOSOCKET_LAST_AUDIO 0x18
#define PM_AUDIOSOCKET_ERROR 0xFF

typedef enum {
    PM_FOUND_NOTHING,     /* all octets have been read, and more are needed */
    PM_FOUND_AUDIO,       /* 20 ms of a message, or its end: payload and size */
    PM_FOUND_KEY,         /* one of 0-9 * # A-D: payload[0] */
    PM_FOUND_OTHER_AUDIO, /* of another rate */
    PM_FOUND_UNREADABLE,  /* of an unknown kind, or of a length that none of its kind has */
    PM_FOUND_HANGUP,
    PM_FOUND_ERROR,
    PM_FOUND_BROKEN,      /* too long: the sender is no AudioSocket or has lost its place; nothing useful can follow */
} pm_found_kind;

typedef struct {
    pm_found_kind kind;
    const uint8_t *payload; /* valid until the next read */
    size_t size;
} pm_found;

typedef struct {
    uint8_t audio_kind;
    uint32_t tick_octets;  /* of the codec */
    uint32_t frame_octets;
    uint8_t header[PM_AUDIOSOCKET_HEADER_SIZE];
    uint32_t header_size;  /* of it, so much has come */
    pm_found_kind meaning; /* of the payload that comes: audio, a key, or nothing that counts */
    uint32_t left;         /* octets of it still to come */
    uint32_t held;         /* octets in the piece */
    bool broken;
    uint8_t piece[PM_PAYLOAD_MAX];
} pm_audiosocket;

/* codec: PM_LINEAR or PM_LINEAR16. */
void pm_audiosocket_init(pm_audiosocket *reader, pm_codec_name codec);

/* Returns how many octets have been read: all of them, or as many as it took to find something. */
size_t pm_audiosocket_read(pm_audiosocket *reader, const uint8_t *octets, size_t size, pm_found *found);

/* Returns its size. header: PM_AUDIOSOCKET_HEADER_SIZE octets. */
size_t pm_audiosocket_write_header(uint8_t *header, uint8_t kind, size_t payload_size);

#endif
