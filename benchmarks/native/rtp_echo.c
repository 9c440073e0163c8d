/* The floor of every media server: datagrams are sent back as they came, 64 at a time, every 2 ms; nothing else.
 *
 *   rtp_echo CORE
 *
 * Prints its port as JSON. A line on its standard input begins the measurement, another ends it; the end of the input
 * ends the program, which prints as JSON what was echoed in all and between the lines, and how late its slots were then.
 */
#define _GNU_SOURCE 1

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "real_time.h"

#define LONGEST_LIFE_S 300
#define BINS 4000 /* of 10 µs */

static struct mmsghdr messages[BATCH];
static struct iovec parts[BATCH];
static struct sockaddr_in senders[BATCH];
static uint8_t octets[BATCH][2048];
static int64_t lateness[BINS];
static int64_t slots, unsent;
static int measuring;
static int64_t frames, cpu_ns; /* while it was measured */

static int64_t echo_all(int socket) {
    int64_t echoed = 0;
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){octets[i], sizeof octets[i]};
            messages[i].msg_hdr = (struct msghdr){
                .msg_name = &senders[i], .msg_namelen = sizeof senders[i], .msg_iov = &parts[i], .msg_iovlen = 1};
        }
        int count = recvmmsg(socket, messages, BATCH, MSG_DONTWAIT, NULL);
        if (count <= 0) return echoed;
        for (int i = 0; i < count; i++) parts[i].iov_len = messages[i].msg_len;
        for (int done = 0; done < count;) {
            int taken = sendmmsg(socket, messages + done, (unsigned)(count - done), MSG_DONTWAIT);
            if (taken <= 0) unsent++;
            done += taken > 0 ? taken : 1;
        }
        echoed += count;
        if (count < BATCH) return echoed;
    }
}

static void note_lateness(int64_t ns) {
    int64_t bin = ns / 10000;
    lateness[bin < BINS ? bin : BINS - 1]++;
    slots++;
}

static double lateness_ms(double share) {
    int64_t seen = 0;
    for (int bin = 0; bin < BINS && slots > 0; bin++) {
        seen += lateness[bin];
        if ((double)seen >= share * (double)slots) return (bin + 1) * 0.01;
    }
    return 0.0;
}

static void begin(int64_t echoed) {
    memset(lateness, 0, sizeof lateness);
    slots = 0;
    frames = -echoed;
    cpu_ns = -clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    measuring = 1;
}

static void end(int64_t echoed) {
    frames += echoed;
    cpu_ns += clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    measuring = 0;
}

/* False: the input has ended. */
static int obey(int64_t echoed) {
    char line[16];
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 0) == 0) return 1;
    if (read(STDIN_FILENO, line, sizeof line) <= 0) return 0;
    if (measuring) {
        end(echoed);
    } else {
        begin(echoed);
    }
    return 1;
}

int main(int count, char **words) {
    int64_t echoed = 0;
    if (count != 2) return 2;
    int made = open_socket((struct in_addr){htonl(INADDR_LOOPBACK)});
    if (made < 0) {
        perror("rtp_echo");
        return 1;
    }
    alarm(LONGEST_LIFE_S);
    run_in_real_time(atoi(words[1]));
    printf("{\"ports\": [%d]}\n", port_of(made));
    fflush(stdout);
    int64_t due_ns = clock_ns(CLOCK_MONOTONIC);
    while (obey(echoed)) {
        due_ns += SLOT_NS;
        sleep_until(due_ns);
        if (measuring) note_lateness(clock_ns(CLOCK_MONOTONIC) - due_ns);
        echoed += echo_all(made);
    }
    printf("{\"heard\": %lld, \"frames\": %lld, \"unsent\": %lld, \"cpu_s\": %.6f, \"late_ms_p99\": %.3f, "
           "\"late_ms_p999\": %.3f}\n",
           (long long)echoed, (long long)frames, (long long)unsent, (double)cpu_ns * 1e-9, lateness_ms(0.99),
           lateness_ms(0.999));
    return 0;
}
