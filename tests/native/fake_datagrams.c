#define _GNU_SOURCE 1

#include "fake_datagrams.h"

#include <arpa/inet.h>
#include <string.h>

#include "check.h"

#define MOST 20000

typedef struct {
    int socket;
    int64_t at_ns;
    size_t size;
    uint8_t *octets;
    pm_socket_address sender;
} coming;

int64_t network_now_ns;
bool network_refuses;
int network_fetches_most;
size_t sent_count;
sent_packet sent[MOST];
static coming waiting[MOST];
static size_t waiting_count;

void network_reset(void) {
    for (size_t i = 0; i < waiting_count; i++) free(waiting[i].octets);
    waiting_count = 0;
    sent_count = 0;
    network_refuses = false;
    network_fetches_most = PM_BATCH;
}

void network_deliver(int socket, const uint8_t *octets, size_t size, const pm_socket_address *sender, int64_t at_ns) {
    CHECK(waiting_count < MOST);
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (size > 0) memcpy(copy, octets, size);
    waiting[waiting_count++] = (coming){socket, at_ns, size, copy, *sender};
}

bool pm_socket_address_of(const char *host, uint16_t port, pm_socket_address *address) {
    memset(address, 0, sizeof *address);
    address->ipv4.sin_family = AF_INET;
    address->ipv4.sin_port = htons(port);
    return inet_pton(AF_INET, host, &address->ipv4.sin_addr) == 1;
}

void pm_inbox_init(pm_inbox *inbox) {
    memset(inbox, 0, sizeof *inbox);
    inbox->most = PM_BATCH;
}

void pm_socket_prepare(int socket, uint32_t peers) {
    (void)socket;
    (void)peers;
}

static coming *oldest(int socket, int64_t now_ns) {
    for (size_t i = 0; i < waiting_count; i++) {
        if (waiting[i].socket == socket && waiting[i].at_ns <= now_ns && waiting[i].octets != NULL) return &waiting[i];
    }
    return NULL;
}

static void fetch(pm_inbox *inbox, int socket, int64_t now_ns) {
    inbox->next = inbox->count = 0;
    coming *found;
    int most = inbox->most < network_fetches_most ? inbox->most : network_fetches_most;
    while (inbox->count < most && (found = oldest(socket, now_ns)) != NULL) {
        pm_datagram *datagram = &inbox->datagrams[inbox->count++];
        datagram->octets = found->octets;
        datagram->size = found->size;
        datagram->arrived_ns = found->at_ns;
        (void)pm_address_of(&found->sender.any, &datagram->sender);
        found->octets = NULL; /* the inbox has it now */
    }
}

const pm_datagram *pm_inbox_next(pm_inbox *inbox, int socket, int64_t now_ns) {
    if (inbox->next == inbox->count) fetch(inbox, socket, now_ns);
    return inbox->next < inbox->count ? &inbox->datagrams[inbox->next] : NULL;
}

void pm_inbox_take(pm_inbox *inbox) { free((void *)(uintptr_t)inbox->datagrams[inbox->next++].octets); }

int64_t pm_socket_oldest(int socket, int64_t now_ns) {
    const coming *found = oldest(socket, now_ns);
    return found != NULL ? found->at_ns : INT64_MAX;
}

void pm_outbox_init(pm_outbox *outbox) { memset(outbox, 0, sizeof *outbox); }

uint8_t *pm_outbox_place(pm_outbox *outbox) { return outbox->octets[outbox->count]; }

void pm_outbox_add(pm_outbox *outbox, size_t size, const pm_socket_address *receiver, uint32_t session) {
    outbox->parts[outbox->count].iov_len = size;
    outbox->receivers[outbox->count] = *receiver;
    outbox->sessions[outbox->count++] = session;
}

void pm_outbox_flush(pm_outbox *outbox, int socket, pm_refused refused, void *context) {
    for (int i = 0; i < outbox->count; i++) {
        if (!pm_socket_send(socket, outbox->octets[i], outbox->parts[i].iov_len, &outbox->receivers[i])) {
            refused(context, outbox->sessions[i]);
        }
    }
    outbox->count = 0;
}

bool pm_socket_send(int socket, const uint8_t *packet, size_t size, const pm_socket_address *receiver) {
    if (network_refuses) return false;
    CHECK(sent_count < MOST && size <= PM_PACKET_MAX);
    sent_packet *kept = &sent[sent_count++];
    *kept = (sent_packet){.at_ns = network_now_ns, .size = size, .receiver = *receiver, .socket = socket};
    memcpy(kept->octets, packet, size);
    return true;
}

uint64_t pm_socket_dropped(int socket) {
    (void)socket;
    return 0;
}
