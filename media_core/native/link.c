#define _GNU_SOURCE 1

#include "link.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "engine_events.h"

void pm_link_init(pm_link *link, int socket, pm_codec_name codec, bool tells_keys) {
    memset(link, 0, sizeof *link);
    link->socket = socket;
    link->tells_keys = tells_keys;
    pm_audiosocket_init(&link->reader, codec);
}

static void end(pm_link *link, pm_gone why) {
    link->over = true;
    link->why = (uint16_t)why;
}

static bool must_wait(void) { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

bool pm_link_receive(pm_link *link, size_t most) {
    if (link->over) return false;
    ssize_t came = recv(link->socket, link->octets, most < PM_LINK_READ ? most : PM_LINK_READ, MSG_DONTWAIT);
    link->octets_used = 0;
    link->octets_size = came > 0 ? (size_t)came : 0;
    if (came == 0 || (came < 0 && !must_wait())) end(link, PM_GONE_CLOSED);
    return came > 0;
}

bool pm_link_find(pm_link *link, pm_found *found) {
    if (link->over || link->octets_used == link->octets_size) return false;
    link->octets_used += pm_audiosocket_read(&link->reader, link->octets + link->octets_used,
                                             link->octets_size - link->octets_used, found);
    switch (found->kind) {
        case PM_FOUND_NOTHING: return false;
        case PM_FOUND_HANGUP: end(link, PM_GONE_HUNG_UP); break;
        case PM_FOUND_ERROR: end(link, PM_GONE_FAILED); break;
        case PM_FOUND_BROKEN: end(link, PM_GONE_LOST_ITS_PLACE); break;
        case PM_FOUND_AUDIO:
        case PM_FOUND_KEY:
        case PM_FOUND_OTHER_AUDIO:
        case PM_FOUND_UNREADABLE: break;
    }
    return true;
}

/* How much of what was sent the peer has not acknowledged; 0 where nobody can tell. */
static size_t unacknowledged(const pm_link *link) {
    int octets = 0;
    return ioctl(link->socket, SIOCOUTQ, &octets) == 0 && octets > 0 ? (size_t)octets : 0;
}

/* How much of it the system has taken. */
static size_t give(const pm_link *link, const uint8_t *octets, size_t size) {
    ssize_t taken = send(link->socket, octets, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return taken > 0 ? (size_t)taken : 0;
}

static bool give_rest(pm_link *link) {
    if (link->rest_size == 0) return true;
    size_t taken = give(link, link->rest, link->rest_size);
    link->rest_size -= taken;
    memmove(link->rest, link->rest + taken, link->rest_size);
    return link->rest_size == 0;
}

static size_t frame_size(const pm_link *link) { return PM_AUDIOSOCKET_HEADER_SIZE + link->reader.frame_octets; }

bool pm_link_takes(pm_link *link) {
    return !link->over && give_rest(link) && unacknowledged(link) < PM_LINK_UNSENT_FRAMES * frame_size(link);
}

void pm_link_send(pm_link *link, const uint8_t *payload) {
    uint8_t frame[PM_LINK_FRAME_MAX];
    size_t size = frame_size(link);
    size_t header = pm_audiosocket_write_header(frame, link->reader.audio_kind, link->reader.frame_octets);
    memcpy(frame + header, payload, link->reader.frame_octets);
    size_t taken = give(link, frame, size);
    link->rest_size = size - taken;
    memcpy(link->rest, frame + taken, link->rest_size);
}

void pm_link_hang_up(pm_link *link) {
    uint8_t message[PM_AUDIOSOCKET_HEADER_SIZE];
    (void)pm_audiosocket_write_header(message, PM_AUDIOSOCKET_HANGUP, 0);
    if (link->over && link->why == PM_GONE_CLOSED) return;
    if (give_rest(link)) (void)give(link, message, sizeof message);
}
