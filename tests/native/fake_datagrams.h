/* A network in virtual time, linked in place of datagrams.c: what comes in is scheduled, what goes out is kept.
 *
 * Every datagram that is handed out lies in memory of exactly its size, so that reading beyond it is seen.
 */
#ifndef FAKE_DATAGRAMS_H
#define FAKE_DATAGRAMS_H

#include "datagrams.h"

typedef struct {
    int64_t at_ns;
    size_t size;
    uint8_t octets[PM_PACKET_MAX];
    pm_socket_address receiver;
    int socket;
} sent_packet;

extern int64_t network_now_ns; /* when packets are said to have gone out */
extern bool network_refuses;
extern int network_fetches_most; /* datagrams at once: more come while they are fetched */
extern size_t sent_count;
extern sent_packet sent[];

void network_reset(void);

/* Let a datagram come to a socket at a time. It is copied. Times must not go backwards. */
void network_deliver(int socket, const uint8_t *octets, size_t size, const pm_socket_address *sender, int64_t at_ns);

#endif
