/* What the programs of the load benchmarks share: a core of their own, real-time priority, time. */
#ifndef REAL_TIME_H
#define REAL_TIME_H

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <time.h>

#define SLOT_NS 2000000ll
#define BATCH 64

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_until(int64_t ns) {
    struct timespec then = {ns / 1000000000, ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) == EINTR) continue;
}

/* core: -1 for any. Without permission for SCHED_FIFO it goes on without. */
static void run_in_real_time(int core) {
    struct sched_param priority = {.sched_priority = 10};
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (core >= 0) {
        CPU_SET(core, &cores);
        (void)sched_setaffinity(0, sizeof cores, &cores);
    }
    (void)sched_setscheduler(0, SCHED_FIFO, &priority);
    (void)prctl(PR_SET_TIMERSLACK, 1);
}

/* A UDP socket with room for bursts, that spends no time on identifying its packets, as the engine's. */
static int open_socket(struct in_addr host) {
    int room = 64 << 20;
    int whole = IP_PMTUDISC_PROBE;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = host};
    int made = socket(AF_INET, SOCK_DGRAM, 0);
    if (made < 0) return -1;
    if (setsockopt(made, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0) {
        (void)setsockopt(made, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    }
    (void)setsockopt(made, IPPROTO_IP, IP_MTU_DISCOVER, &whole, sizeof whole);
    return bind(made, (struct sockaddr *)&address, sizeof address) == 0 ? made : -1;
}

static int port_of(int socket) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    return getsockname(socket, (struct sockaddr *)&address, &size) == 0 ? ntohs(address.sin_port) : -1;
}

#endif
