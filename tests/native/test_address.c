/* The table of addresses, against a list that is searched from end to end. */
#define _GNU_SOURCE 1

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "address.h"
#include "check.h"
#include "datagrams.h"

#define ADDRESSES 200
#define ROUNDS 200000

static pm_address address_of(uint32_t number) {
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(1000 + number % 7))};
    pm_address address;
    ipv4.sin_addr.s_addr = htonl(0x7F000001 + number / 7);
    CHECK(pm_address_of((const struct sockaddr *)&ipv4, &address));
    return address;
}

static void what_is_added_is_found_until_it_is_removed(void) {
    bool there[3 * ADDRESSES] = {false};
    uint32_t used = 0;
    uint32_t chance = 99;
    pm_directory directory;
    void *memory = malloc(pm_directory_memory(ADDRESSES));
    pm_directory_init(&directory, ADDRESSES, 0x123456789ABCDEFull, memory);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t number = next_random(&chance) % (3 * ADDRESSES);
        pm_address address = address_of(number);
        CHECK(pm_directory_find(&directory, &address) == (there[number] ? number : PM_NO_SESSION));
        if (there[number]) {
            CHECK(!pm_directory_add(&directory, &address, number));
            pm_directory_remove(&directory, &address);
            there[number] = false;
            used--;
        } else if (used < ADDRESSES) {
            CHECK(pm_directory_add(&directory, &address, number));
            there[number] = true;
            used++;
        } else {
            pm_directory_remove(&directory, &address); /* of nobody: nothing happens */
        }
    }
    free(memory);
}

static void addresses_of_both_kinds_are_told_apart(void) {
    pm_socket_address one;
    pm_socket_address other;
    pm_address first;
    pm_address second;
    CHECK(pm_socket_address_of("192.0.2.1", 4000, &one) && pm_socket_address_of("::ffff:192.0.2.1", 4000, &other));
    CHECK(pm_address_of(&one.any, &first) && pm_address_of(&other.any, &second));
    CHECK(pm_address_same(&first, &second)); /* the same host, by either family */
    CHECK(pm_socket_address_of("2001:db8::1", 4000, &other) && pm_address_of(&other.any, &second));
    CHECK(!pm_address_same(&first, &second));
    CHECK(!pm_socket_address_of("pbx.example", 4000, &one));
    CHECK(!pm_socket_address_of("", 4000, &one));
    struct sockaddr local = {.sa_family = AF_UNIX};
    CHECK(!pm_address_of(&local, &first));
}

int main(void) {
    RUN(what_is_added_is_found_until_it_is_removed);
    RUN(addresses_of_both_kinds_are_told_apart);
    return 0;
}
