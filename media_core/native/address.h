/* Addresses of peers, and the table that finds a session by the address that a datagram came from.
 *
 *   pm_address_of                     a socket address as the table's key
 *   pm_directory_memory, _init        a table for so many addresses
 *   pm_directory_add, _remove, _find  one address, one session
 *
 * Strangers choose what is looked up, never what is entered: the table is never more than half full, and its order
 * depends on a secret, so that no choice of addresses makes it slow.
 */
#ifndef PM_ADDRESS_H
#define PM_ADDRESS_H

#include <sys/socket.h>

#include "pm.h"

/* IPv4 as ::ffff:a.b.c.d; all zeros is no address. */
typedef struct {
    uint64_t high;
    uint64_t low;
    uint16_t port; /* in the machine's order */
} pm_address;

typedef struct {
    pm_address address;
    uint32_t session; /* number in the slab */
} pm_directory_entry;

typedef struct {
    pm_directory_entry *entries;
    uint64_t secret;
    uint32_t mask; /* entries - 1; their number is a power of 2 */
    uint32_t used;
} pm_directory;

#define PM_NO_SESSION UINT32_MAX

/* False: neither IPv4 nor IPv6. */
bool pm_address_of(const struct sockaddr *socket_address, pm_address *address);

bool pm_address_same(const pm_address *one, const pm_address *other);

size_t pm_directory_memory(uint32_t addresses);

/* memory: pm_directory_memory(addresses) octets, aligned to 8. */
void pm_directory_init(pm_directory *directory, uint32_t addresses, uint64_t secret, void *memory);

/* False: the address is there already, or there is no room. */
bool pm_directory_add(pm_directory *directory, const pm_address *address, uint32_t session);

void pm_directory_remove(pm_directory *directory, const pm_address *address);

/* PM_NO_SESSION where the address is a stranger's. */
uint32_t pm_directory_find(const pm_directory *directory, const pm_address *address);

#endif
