/* Calls for a benchmark: so many callers that each send 20 ms of µ-law and account for every packet that comes back.
 *
 *   rtp_generator CORE CALLS SECONDS WARM_UP_MS SPEECH WORDS_MS
 *
 * SPEECH is a file of µ-law octets that every caller says again and again, each from a place of its own; its first
 * WORDS_MS are words, the rest is a pause. With WORDS_MS 0 nobody waits for an answer, otherwise the time from the end
 * of the words to the first loud packet that comes back is measured.
 *
 * Prints its port as JSON and reads from its standard input where the calls go: HOST COUNT PORT..., one port for all or
 * one for each. Then it runs, and prints what it saw since WARM_UP_MS as one line of JSON.
 *
 * All callers share one socket: each has an address of its own in 127.1.0.0/16 (IP_PKTINFO says which), so that sending
 * and receiving are batched and the generator costs no more than what it measures. Packets leave in ten groups per
 * 20 ms. What comes back is accounted for per caller by its sequence numbers and by the kernel's time of arrival.
 */
#define _GNU_SOURCE 1

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "real_time.h"

#define SLOTS 10
#define FRAME_NS 20000000ll
#define FRAME 160
#define HEADER 12
#define PACKET (HEADER + FRAME)
#define BINS 4000          /* intervals: of 10 µs */
#define RESPONSES 8000     /* of 1 ms */
#define TAIL_SLOTS 50      /* what is under way at the end is still taken */
#define MARGIN_S 60        /* of life beyond the run */
#define FIRST_CALLER 0x7F010000u
/* µ-law magnitude, about 900 of 32767: nothing that fades or idles is that loud. */
#define LOUD 0x30
/* Who was spoken to so shortly before the end of the words was not listened to: that is not counted as asked. */
#define QUIET_NS 300000000ll
/* Words that end later than this before the end of the run ask for nothing. */
#define ANSWER_NS 3000000000ll

typedef struct {
    uint16_t server_port;
    uint16_t sequence;
    uint32_t timestamp;
    int64_t place;       /* in frames of what it says */
    int64_t asked_ns;    /* when its words ended; 0: it waits for no answer */
    int64_t loud_ns;     /* when the last loud packet came */
    int heard;           /* packets have come back */
    uint16_t expected;   /* of the stream that comes back */
    uint64_t window;     /* which of the 64 before it have come */
    int64_t arrived_ns;
} caller;

static caller *callers;
static int calls;
static int64_t speech_frames, word_frames;
static uint8_t *speech;
static struct sockaddr_in server;
static int judging;
static int asking;     /* there is time for an answer */
static int64_t sent, unsent, received, judged, lost, reordered, duplicate, strays, asked, answered, talked_over;
static int64_t intervals[BINS]; /* |interval - 20 ms| of what came back */
static int64_t responses[RESPONSES];
static int64_t late_slots, judged_slots, worst_slot_ns;

static void write_packet(uint8_t *octets, caller *from, uint32_t source) {
    octets[0] = 0x80;
    octets[1] = 0;
    octets[2] = (uint8_t)(from->sequence >> 8);
    octets[3] = (uint8_t)from->sequence;
    for (int i = 0; i < 4; i++) octets[4 + i] = (uint8_t)(from->timestamp >> (24 - 8 * i));
    for (int i = 0; i < 4; i++) octets[8 + i] = (uint8_t)(source >> (24 - 8 * i));
    memcpy(octets + HEADER, speech + from->place * FRAME, FRAME);
    from->sequence++;
    from->timestamp += FRAME;
    from->place = (from->place + 1) % speech_frames;
    if (word_frames == 0) return;
    if (from->place == 0) from->asked_ns = 0;
    if (from->place != word_frames || !asking) return;
    int64_t now_ns = clock_ns(CLOCK_REALTIME);
    if (now_ns - from->loud_ns < QUIET_NS) {
        talked_over++;
    } else {
        from->asked_ns = now_ns;
        asked++;
    }
}

static void address_message(struct msghdr *message, struct iovec *part, struct sockaddr_in *to, uint8_t *control,
                            uint32_t source) {
    *message = (struct msghdr){.msg_name = to,
                               .msg_namelen = sizeof *to,
                               .msg_iov = part,
                               .msg_iovlen = 1,
                               .msg_control = control,
                               .msg_controllen = CMSG_SPACE(sizeof(struct in_pktinfo))};
    struct cmsghdr *piece = CMSG_FIRSTHDR(message);
    struct in_pktinfo from = {.ipi_spec_dst.s_addr = htonl(source)};
    piece->cmsg_level = IPPROTO_IP;
    piece->cmsg_type = IP_PKTINFO;
    piece->cmsg_len = CMSG_LEN(sizeof from);
    memcpy(CMSG_DATA(piece), &from, sizeof from);
}

static void send_some(int socket, int first, int count) {
    static uint8_t packets[BATCH][PACKET];
    static struct mmsghdr messages[BATCH];
    static struct iovec parts[BATCH];
    static struct sockaddr_in to[BATCH];
    static _Alignas(8) uint8_t control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
    for (int i = 0; i < count; i++) {
        uint32_t source = FIRST_CALLER + (uint32_t)(first + i);
        write_packet(packets[i], &callers[first + i], source);
        to[i] = server;
        to[i].sin_port = htons(callers[first + i].server_port);
        parts[i] = (struct iovec){packets[i], PACKET};
        address_message(&messages[i].msg_hdr, &parts[i], &to[i], control[i], source);
    }
    for (int done = 0; done < count;) {
        int taken = sendmmsg(socket, messages + done, (unsigned)(count - done), 0);
        if (taken > 0) {
            sent += taken;
            done += taken;
        } else {
            unsent++;
            done++;
        }
    }
}

/* Another packet of a caller's stream: follow its numbers. Returns how many frames after the newest it is, or <= 0. */
static int follow(caller *of, uint16_t sequence) {
    int ahead = (int16_t)(sequence - of->expected);
    if (ahead >= 0) {
        lost += ahead;
        of->window = ahead < 63 ? of->window << (ahead + 1) | 1 : 1;
        of->expected = (uint16_t)(sequence + 1);
        return ahead + 1;
    }
    uint64_t bit = -ahead <= 64 ? 1ull << (-ahead - 1) : 0;
    if (bit == 0 || (of->window & bit) != 0) {
        duplicate++;
    } else {
        of->window |= bit;
        reordered++;
        lost--;
    }
    return 0;
}

static int is_loud(const uint8_t *payload, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if ((~payload[i] & 0x7F) >= LOUD) return 1;
    }
    return 0;
}

static void judge(caller *of, const uint8_t *octets, size_t size, int64_t arrived_ns) {
    uint16_t sequence = (uint16_t)(octets[2] << 8 | octets[3]);
    received++;
    if (!of->heard) {
        of->heard = 1;
        of->expected = (uint16_t)(sequence + 1);
        of->window = ~0ull;
    } else {
        int frames = follow(of, sequence);
        judged++;
        if (frames == 0) return;
        int64_t bin = llabs(arrived_ns - of->arrived_ns - FRAME_NS * frames) / 10000;
        intervals[bin < BINS ? bin : BINS - 1]++;
    }
    of->arrived_ns = arrived_ns;
    if (word_frames == 0 || !is_loud(octets + HEADER, size - HEADER)) return;
    of->loud_ns = arrived_ns;
    if (of->asked_ns == 0 || arrived_ns < of->asked_ns) return;
    int64_t ms = (arrived_ns - of->asked_ns) / 1000000;
    responses[ms < RESPONSES ? ms : RESPONSES - 1]++;
    answered++;
    of->asked_ns = 0;
}

static void take(struct msghdr *message, size_t size, const uint8_t *octets) {
    int64_t arrived_ns = 0;
    uint32_t address = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo to;
            memcpy(&to, CMSG_DATA(part), sizeof to);
            address = ntohl(to.ipi_addr.s_addr);
        } else if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec at;
            memcpy(&at, CMSG_DATA(part), sizeof at);
            arrived_ns = (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
        }
    }
    uint32_t number = address - FIRST_CALLER;
    if (number >= (uint32_t)calls || size < HEADER) {
        strays++;
    } else if (judging) {
        judge(&callers[number], octets, size, arrived_ns);
    }
}

static void receive_all(int socket) {
    static struct mmsghdr messages[BATCH];
    static struct iovec parts[BATCH];
    static uint8_t octets[BATCH][2048];
    static _Alignas(8) uint8_t control[BATCH][128];
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){octets[i], sizeof octets[i]};
            messages[i].msg_hdr = (struct msghdr){
                .msg_iov = &parts[i], .msg_iovlen = 1, .msg_control = control[i], .msg_controllen = sizeof control[i]};
        }
        int count = recvmmsg(socket, messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++) take(&messages[i].msg_hdr, messages[i].msg_len, octets[i]);
        if (count < BATCH) return;
    }
}

static void run(int socket, double seconds, int64_t warm_up_ns) {
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC) + SLOT_NS;
    int64_t end_ns = start_ns + (int64_t)(seconds * 1e9);
    int slot = 0;
    for (int64_t due_ns = start_ns; due_ns < end_ns + TAIL_SLOTS * SLOT_NS; due_ns += SLOT_NS) {
        sleep_until(due_ns);
        int64_t late_ns = clock_ns(CLOCK_MONOTONIC) - due_ns;
        judging = due_ns - start_ns >= warm_up_ns;
        asking = judging && end_ns - due_ns >= ANSWER_NS;
        receive_all(socket);
        if (due_ns >= end_ns) continue;
        if (judging) {
            judged_slots++;
            late_slots += late_ns > 1000000;
            if (late_ns > worst_slot_ns) worst_slot_ns = late_ns;
        }
        int first = (int)((int64_t)calls * slot / SLOTS);
        int end = (int)((int64_t)calls * (slot + 1) / SLOTS);
        for (; first < end; first += BATCH) send_some(socket, first, end - first < BATCH ? end - first : BATCH);
        slot = (slot + 1) % SLOTS;
    }
}

/* The upper end of the bin below which this share lies. */
static int quantile(const int64_t *bins, int count, double share) {
    int64_t total = 0;
    int64_t seen = 0;
    for (int bin = 0; bin < count; bin++) total += bins[bin];
    for (int bin = 0; bin < count && total > 0; bin++) {
        seen += bins[bin];
        if ((double)seen >= share * (double)total) return bin + 1;
    }
    return 0;
}

static int read_speech(const char *path, int words_ms) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) return -1;
    speech_frames = ftell(file) / FRAME;
    word_frames = words_ms / 20;
    rewind(file);
    speech = malloc((size_t)speech_frames * FRAME);
    size_t frames = speech == NULL ? 0 : fread(speech, FRAME, (size_t)speech_frames, file);
    (void)fclose(file);
    return frames > 0 && frames == (size_t)speech_frames && word_frames < speech_frames ? 0 : -1;
}

/* Where the calls go, from the standard input. */
static int read_server(void) {
    char host[64];
    int ports = 0;
    if (scanf("%63s %d", host, &ports) != 2 || (ports != 1 && ports != calls)) return -1;
    server.sin_family = AF_INET;
    if (inet_pton(AF_INET, host, &server.sin_addr) != 1) return -1;
    for (int i = 0; i < calls; i++) {
        int port = i < ports ? 0 : callers[0].server_port;
        if (i < ports && scanf("%d", &port) != 1) return -1;
        callers[i].server_port = (uint16_t)port;
        callers[i].sequence = (uint16_t)(i * 977);
        callers[i].place = speech_frames * i / calls;
    }
    return 0;
}

static int prepare(char **words) {
    int on = 1;
    calls = atoi(words[2]);
    callers = calls > 0 ? calloc((size_t)calls, sizeof *callers) : NULL;
    if (callers == NULL || read_speech(words[5], atoi(words[6])) != 0) return -1;
    int made = open_socket((struct in_addr){htonl(INADDR_ANY)});
    if (made < 0) return -1;
    (void)setsockopt(made, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    (void)setsockopt(made, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    printf("{\"port\": %d}\n", port_of(made));
    fflush(stdout);
    return read_server() == 0 ? made : -1;
}

static void report(void) {
    printf("{\"calls\": %d, \"sent\": %lld, \"unsent\": %lld, \"received\": %lld, \"judged\": %lld, \"lost\": %lld, "
           "\"reordered\": %lld, \"duplicate\": %lld, \"strays\": %lld, ",
           calls, (long long)sent, (long long)unsent, (long long)received, (long long)judged, (long long)lost,
           (long long)reordered, (long long)duplicate, (long long)strays);
    printf("\"interval_off_ms_p50\": %.2f, \"interval_off_ms_p99\": %.2f, \"interval_off_ms_p999\": %.2f, ",
           quantile(intervals, BINS, 0.5) * 0.01, quantile(intervals, BINS, 0.99) * 0.01,
           quantile(intervals, BINS, 0.999) * 0.01);
    printf("\"asked\": %lld, \"answered\": %lld, \"talked_over\": %lld, \"response_ms_p50\": %d, "
           "\"response_ms_p95\": %d, \"response_ms_worst\": %d, ",
           (long long)asked, (long long)answered, (long long)talked_over, quantile(responses, RESPONSES, 0.5),
           quantile(responses, RESPONSES, 0.95), quantile(responses, RESPONSES, 1.0));
    printf("\"slots\": %lld, \"late_slots\": %lld, \"worst_slot_ms\": %.3f, \"cpu_s\": %.3f}\n", (long long)judged_slots,
           (long long)late_slots, (double)worst_slot_ns * 1e-6, (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) * 1e-9);
}

int main(int count, char **words) {
    if (count != 7) {
        fprintf(stderr, "usage: rtp_generator CORE CALLS SECONDS WARM_UP_MS SPEECH WORDS_MS\n");
        return 2;
    }
    alarm((unsigned)atof(words[3]) + MARGIN_S);
    int made = prepare(words);
    if (made < 0) {
        perror("rtp_generator");
        return 1;
    }
    run_in_real_time(atoi(words[1]));
    run(made, atof(words[3]), (int64_t)atoi(words[4]) * 1000000);
    report();
    free(speech);
    free(callers);
    return 0;
}
