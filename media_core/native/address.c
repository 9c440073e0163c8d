#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define MAPPED_PREFIX 0xFFFFull

static uint64_t word_of(const uint8_t *octets) {
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) word = word << 8 | octets[i];
    return word;
}

bool pm_address_of(const struct sockaddr *socket_address, pm_address *address) {
    memset(address, 0, sizeof *address);
    if (socket_address->sa_family == AF_INET) {
        const struct sockaddr_in *internet = (const struct sockaddr_in *)(const void *)socket_address;
        address->low = MAPPED_PREFIX << 32 | ntohl(internet->sin_addr.s_addr);
        address->port = ntohs(internet->sin_port);
        return true;
    }
    if (socket_address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *internet = (const struct sockaddr_in6 *)(const void *)socket_address;
        address->high = word_of(internet->sin6_addr.s6_addr);
        address->low = word_of(internet->sin6_addr.s6_addr + 8);
        address->port = ntohs(internet->sin6_port);
        return true;
    }
    return false;
}

bool pm_address_same(const pm_address *one, const pm_address *other) {
    return one->high == other->high && one->low == other->low && one->port == other->port;
}

/* The finalizer of MurmurHash3, keyed. */
static uint64_t mix(uint64_t word) {
    word = (word ^ word >> 33) * 0xFF51AFD7ED558CCDull;
    word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53ull;
    return word ^ word >> 33;
}

static uint32_t home_of(const pm_directory *directory, const pm_address *address) {
    uint64_t word = mix(address->high ^ directory->secret);
    word = mix(word ^ address->low);
    return (uint32_t)mix(word ^ address->port ^ directory->secret) & directory->mask;
}

static uint32_t entries_for(uint32_t addresses) {
    uint32_t entries = 2;
    while (entries < 2 * addresses) entries *= 2;
    return entries;
}

size_t pm_directory_memory(uint32_t addresses) { return entries_for(addresses) * sizeof(pm_directory_entry); }

void pm_directory_init(pm_directory *directory, uint32_t addresses, uint64_t secret, void *memory) {
    uint32_t entries = entries_for(addresses);
    *directory = (pm_directory){.entries = memory, .secret = secret, .mask = entries - 1};
    for (uint32_t i = 0; i < entries; i++) directory->entries[i].session = PM_NO_SESSION;
}

/* Where the address is, or the free place where it belongs. */
static uint32_t place_of(const pm_directory *directory, const pm_address *address) {
    uint32_t place = home_of(directory, address);
    while (directory->entries[place].session != PM_NO_SESSION &&
           !pm_address_same(&directory->entries[place].address, address)) {
        place = (place + 1) & directory->mask;
    }
    return place;
}

bool pm_directory_add(pm_directory *directory, const pm_address *address, uint32_t session) {
    if (2 * directory->used > directory->mask) return false;
    pm_directory_entry *entry = &directory->entries[place_of(directory, address)];
    if (entry->session != PM_NO_SESSION) return false;
    *entry = (pm_directory_entry){*address, session};
    directory->used++;
    return true;
}

void pm_directory_remove(pm_directory *directory, const pm_address *address) {
    uint32_t gap = place_of(directory, address);
    if (directory->entries[gap].session == PM_NO_SESSION) return;
    directory->used--;
    /* Move those behind the gap forward that would not be found across it. */
    for (uint32_t place = gap;;) {
        place = (place + 1) & directory->mask;
        pm_directory_entry *entry = &directory->entries[place];
        if (entry->session == PM_NO_SESSION) break;
        uint32_t home = home_of(directory, &entry->address);
        if (((place - home) & directory->mask) >= ((place - gap) & directory->mask)) {
            directory->entries[gap] = *entry;
            gap = place;
        }
    }
    directory->entries[gap].session = PM_NO_SESSION;
}

uint32_t pm_directory_find(const pm_directory *directory, const pm_address *address) {
    return directory->entries[place_of(directory, address)].session;
}
