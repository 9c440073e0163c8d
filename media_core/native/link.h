/* The AudioSocket connection of one session: a TCP socket on which nobody ever waits.
 *
 *   pm_link_init                        take a connection that has shown its id
 *   media thread:    pm_link_receive    what has come, without waiting
 *                    pm_link_find       the next thing in it
 *                    pm_link_takes      whether the peer takes another 20 ms
 *                    pm_link_send       20 ms, where it does
 *                    pm_link_hang_up    say that it is over, if there is place for that
 *
 * Asterisk plays at once whatever comes. So no more is sent than PM_LINK_UNSENT_FRAMES that it has not acknowledged:
 * more would be heard in one burst when the network is back. What the system does not take of a frame waits here, and goes
 * first.
 */
#ifndef PM_LINK_H
#define PM_LINK_H

#include "audiosocket.h"
#include "numbering.h"

#define PM_LINK_UNSENT_FRAMES 20
/* Octets read at once, and how often in one beat: a flood must not keep the other sessions waiting. */
#define PM_LINK_READ 4096
#define PM_LINK_READS 8
#define PM_LINK_FRAME_MAX (PM_AUDIOSOCKET_HEADER_SIZE + PM_PAYLOAD_MAX)

typedef struct {
    int socket;            /* non-blocking; its owner closes it */
    bool tells_keys;       /* keys are for us; otherwise the PBX tells them by other ways as well */
    bool over;             /* nothing comes or goes any more */
    bool told;             /* PM_PEER_GONE has been */
    uint16_t why;          /* pm_gone, when it is over */
    pm_audiosocket reader;
    pm_numbering numbering;
    size_t octets_size;    /* what has come and is not read yet */
    size_t octets_used;
    uint8_t octets[PM_LINK_READ];
    size_t rest_size;      /* of a frame that the system took in part, or not yet */
    uint8_t rest[PM_LINK_FRAME_MAX];
} pm_link;

void pm_link_init(pm_link *link, int socket, pm_codec_name codec, bool tells_keys);

/* Read once, `most` octets at most, when all that came before has been found. False: nothing waits, or the connection
 * is over. */
bool pm_link_receive(pm_link *link, size_t most);

/* False: nothing more in what has come. */
bool pm_link_find(pm_link *link, pm_found *found);

/* False: the peer has too much already, or the connection is over. */
bool pm_link_takes(pm_link *link);

/* After pm_link_takes() has said yes. payload: 20 ms of the codec's. */
void pm_link_send(pm_link *link, const uint8_t *payload);

void pm_link_hang_up(pm_link *link);

#endif
