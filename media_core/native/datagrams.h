/* Datagrams in batches: one system call for up to 64 of them, each with the time at which the kernel got it.
 *
 *   pm_socket_address_of           a numeric host and a port
 *   pm_inbox_init                  memory for one batch
 *   pm_socket_prepare              ask the kernel for times of arrival, and for room
 *   pm_inbox_next, pm_inbox_take   the oldest waiting datagram, without waiting; done with it
 *   pm_socket_oldest               when that datagram came, leaving it where it is
 *   pm_outbox_init                 memory for one batch
 *   pm_outbox_place, pm_outbox_add write a packet in place, then hand it over
 *   pm_outbox_flush                send what has been handed over, and say what the kernel did not take
 *   pm_socket_send                 one packet
 *   pm_socket_dropped              what the kernel dropped because it was not fetched in time
 */
#ifndef PM_DATAGRAMS_H
#define PM_DATAGRAMS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "address.h"
#include "pm.h"

#define PM_BATCH 64
/* Longer ones are cut, and then are no RTP that we asked for. */
#define PM_DATAGRAM_MAX 2048
/* A header and 20 ms of the widest payload. */
#define PM_PACKET_MAX 352

typedef union {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
} pm_socket_address;

typedef struct {
    const uint8_t *octets;
    size_t size;        /* 0 for one that was cut */
    pm_address sender;
    int64_t arrived_ns; /* on the engine's clock */
} pm_datagram;

typedef struct {
    struct mmsghdr messages[PM_BATCH];
    struct iovec parts[PM_BATCH];
    pm_socket_address senders[PM_BATCH];
    uint8_t control[PM_BATCH][64];
    pm_datagram datagrams[PM_BATCH];
    int count; /* in this batch, */
    int next;  /* and the first of them that has not been taken */
    int most;  /* datagrams to be fetched at once: PM_BATCH, or fewer */
    uint8_t octets[PM_BATCH][PM_DATAGRAM_MAX];
} pm_inbox;

typedef struct {
    struct mmsghdr messages[PM_BATCH];
    struct iovec parts[PM_BATCH];
    pm_socket_address receivers[PM_BATCH];
    uint32_t sessions[PM_BATCH];
    int count;
    uint8_t octets[PM_BATCH][PM_PACKET_MAX];
} pm_outbox;

/* Told of each packet that the kernel did not take. */
typedef void (*pm_refused)(void *context, uint32_t session);

/* host: "192.0.2.1", "2001:db8::1", "fe80::1%eth0". False: not numeric. */
bool pm_socket_address_of(const char *host, uint16_t port, pm_socket_address *address);

void pm_inbox_init(pm_inbox *inbox);

/* Room for what so many peers send in 200 ms, as far as the system permits. Times of arrival are 0 ns ago where the system
 * does not tell. */
void pm_socket_prepare(int socket, uint32_t peers);

/* The oldest datagram that has not been taken: of the batch, else of a new one. NULL: none waits. now_ns: on the
 * engine's clock. An inbox serves one socket until it is empty. */
const pm_datagram *pm_inbox_next(pm_inbox *inbox, int socket, int64_t now_ns);

void pm_inbox_take(pm_inbox *inbox);

/* On the engine's clock; INT64_MAX where no datagram waits in the kernel. */
int64_t pm_socket_oldest(int socket, int64_t now_ns);

void pm_outbox_init(pm_outbox *outbox);

/* PM_PACKET_MAX octets for the next packet; there is room unless PM_BATCH wait. */
uint8_t *pm_outbox_place(pm_outbox *outbox);

void pm_outbox_add(pm_outbox *outbox, size_t size, const pm_socket_address *receiver, uint32_t session);

void pm_outbox_flush(pm_outbox *outbox, int socket, pm_refused refused, void *context);

/* False: the kernel did not take it. */
bool pm_socket_send(int socket, const uint8_t *packet, size_t size, const pm_socket_address *receiver);

/* Datagrams since the socket was made; 0 where the system does not tell. */
uint64_t pm_socket_dropped(int socket);

#endif
