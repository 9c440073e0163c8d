#define _GNU_SOURCE 1 /* recvmmsg, sendmmsg */

#include "datagrams.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <time.h>

/* Wall time may be set while a datagram waits; an age beyond this is not believed. */
#define MAX_AGE_NS 1000000000ll
/* The kernel counts a packet of 20 ms as 1.3 kB. */
#define LEAST_BUFFER (256 * 1024)
#define BUFFER_PER_PEER (10 * 1280)
/* linux/sock_diag.h: the last of the numbers that SO_MEMINFO gives. */
#define MEMINFO_DROPS 8
#define MEMINFO_NUMBERS 9

bool pm_socket_address_of(const char *host, uint16_t port, pm_socket_address *address) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found;
    if (getaddrinfo(host, NULL, &hints, &found) != 0) return false;
    memset(address, 0, sizeof *address);
    bool fits = found->ai_addrlen <= sizeof *address;
    if (fits) memcpy(address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (address->any.sa_family == AF_INET6) {
        address->ipv6.sin6_port = htons(port);
    } else {
        address->ipv4.sin_port = htons(port);
    }
    return fits;
}

void pm_inbox_init(pm_inbox *inbox) {
    memset(inbox, 0, sizeof *inbox);
    inbox->most = PM_BATCH;
    for (int i = 0; i < PM_BATCH; i++) {
        inbox->parts[i] = (struct iovec){inbox->octets[i], PM_DATAGRAM_MAX};
        inbox->messages[i].msg_hdr.msg_iov = &inbox->parts[i];
        inbox->messages[i].msg_hdr.msg_iovlen = 1;
        inbox->messages[i].msg_hdr.msg_name = &inbox->senders[i];
        inbox->messages[i].msg_hdr.msg_control = inbox->control[i];
    }
}

void pm_socket_prepare(int socket, uint32_t peers) {
    int on = 1;
    /* Packets this short are never cut into fragments, so they need no identification: to choose one
     * costs the kernel time. Nor does a forged ICMP message change what is sent. */
    int whole = IP_PMTUDISC_PROBE;
    int octets = (int)pm_min((int64_t)LEAST_BUFFER + (int64_t)peers * BUFFER_PER_PEER, INT32_MAX / 2);
    if (setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets) != 0) {
        (void)setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
    }
    (void)setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    (void)setsockopt(socket, IPPROTO_IP, IP_MTU_DISCOVER, &whole, sizeof whole);
}

static int64_t wall_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* How long ago the datagram came, by the wall clock. */
static int64_t age_ns(struct msghdr *message, int64_t wall) {
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec came;
            memcpy(&came, CMSG_DATA(part), sizeof came);
            int64_t age = wall - ((int64_t)came.tv_sec * 1000000000 + came.tv_nsec);
            return age >= 0 && age <= MAX_AGE_NS ? age : 0;
        }
    }
    return 0;
}

static void fetch(pm_inbox *inbox, int socket, int64_t now_ns) {
    for (int i = 0; i < inbox->most; i++) {
        inbox->messages[i].msg_hdr.msg_namelen = sizeof inbox->senders[i];
        inbox->messages[i].msg_hdr.msg_controllen = sizeof inbox->control[i];
    }
    /* An error is either "nothing waits" or the ICMP answer to something sent, on which RTP does not act. */
    int count = recvmmsg(socket, inbox->messages, (unsigned)inbox->most, MSG_DONTWAIT, NULL);
    inbox->next = 0;
    inbox->count = count > 0 ? count : 0;
    int64_t wall = count > 0 ? wall_ns() : 0;
    for (int i = 0; i < inbox->count; i++) {
        struct msghdr *message = &inbox->messages[i].msg_hdr;
        pm_datagram *datagram = &inbox->datagrams[i];
        datagram->octets = inbox->octets[i];
        datagram->size = message->msg_flags & MSG_TRUNC ? 0 : inbox->messages[i].msg_len;
        datagram->arrived_ns = now_ns - age_ns(message, wall);
        (void)pm_address_of(&inbox->senders[i].any, &datagram->sender);
    }
}

const pm_datagram *pm_inbox_next(pm_inbox *inbox, int socket, int64_t now_ns) {
    if (inbox->next == inbox->count) {
        fetch(inbox, socket, now_ns);
        if (inbox->count == 0) return NULL;
    }
    return &inbox->datagrams[inbox->next];
}

void pm_inbox_take(pm_inbox *inbox) { inbox->next++; }

int64_t pm_socket_oldest(int socket, int64_t now_ns) {
    uint8_t octet;
    uint8_t control[64];
    struct iovec part = {&octet, sizeof octet};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_PEEK) < 0) return INT64_MAX;
    return now_ns - age_ns(&message, wall_ns());
}

void pm_outbox_init(pm_outbox *outbox) {
    memset(outbox, 0, sizeof *outbox);
    for (int i = 0; i < PM_BATCH; i++) {
        outbox->parts[i].iov_base = outbox->octets[i];
        outbox->messages[i].msg_hdr.msg_iov = &outbox->parts[i];
        outbox->messages[i].msg_hdr.msg_iovlen = 1;
        outbox->messages[i].msg_hdr.msg_name = &outbox->receivers[i];
    }
}

uint8_t *pm_outbox_place(pm_outbox *outbox) { return outbox->octets[outbox->count]; }

static socklen_t length_of(const pm_socket_address *address) {
    return address->any.sa_family == AF_INET6 ? sizeof address->ipv6 : sizeof address->ipv4;
}

void pm_outbox_add(pm_outbox *outbox, size_t size, const pm_socket_address *receiver, uint32_t session) {
    int place = outbox->count++;
    outbox->parts[place].iov_len = size;
    outbox->receivers[place] = *receiver;
    outbox->messages[place].msg_hdr.msg_namelen = length_of(receiver);
    outbox->sessions[place] = session;
}

void pm_outbox_flush(pm_outbox *outbox, int socket, pm_refused refused, void *context) {
    int sent = 0;
    while (sent < outbox->count) {
        int taken = sendmmsg(socket, outbox->messages + sent, (unsigned)(outbox->count - sent), MSG_DONTWAIT);
        if (taken > 0) {
            sent += taken;
        } else if (taken < 0 && errno == EINTR) {
            continue;
        } else {
            refused(context, outbox->sessions[sent++]);
        }
    }
    outbox->count = 0;
}

bool pm_socket_send(int socket, const uint8_t *packet, size_t size, const pm_socket_address *receiver) {
    ssize_t sent;
    do {
        sent = sendto(socket, packet, size, MSG_DONTWAIT, &receiver->any, length_of(receiver));
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size;
}

uint64_t pm_socket_dropped(int socket) {
    uint32_t numbers[MEMINFO_NUMBERS] = {0};
    socklen_t size = sizeof numbers;
    if (getsockopt(socket, SOL_SOCKET, SO_MEMINFO, numbers, &size) != 0) return 0;
    return numbers[MEMINFO_DROPS];
}
