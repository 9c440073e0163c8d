/* AudioSocket's messages, however they are split, and whatever is sent in their place. */
#include <string.h>

#include "audiosocket.h"
#include "check.h"

#define STREAM 6000

typedef struct {
    size_t found[PM_FOUND_BROKEN + 1];
    size_t audio_octets;
    uint32_t sum;
    char keys[8];
} seen;

static uint8_t stream[STREAM];
static size_t stream_size;

static void append(uint8_t kind, const void *payload, size_t size) {
    CHECK(stream_size + PM_AUDIOSOCKET_HEADER_SIZE + size <= STREAM);
    stream_size += pm_audiosocket_write_header(stream + stream_size, kind, size);
    if (size > 0) memcpy(stream + stream_size, payload, size);
    stream_size += size;
}

/* Read the stream in chunks, each in memory of exactly its size. */
static seen read_in_chunks(pm_codec_name codec, size_t chunk) {
    pm_audiosocket reader;
    seen all = {0};
    pm_found found;
    pm_audiosocket_init(&reader, codec);
    for (size_t at = 0; at < stream_size; at += chunk) {
        size_t size = stream_size - at < chunk ? stream_size - at : chunk;
        uint8_t *exact = malloc(size);
        memcpy(exact, stream + at, size);
        for (size_t used = 0; used < size;) {
            size_t step = pm_audiosocket_read(&reader, exact + used, size - used, &found);
            CHECK(step > 0);
            used += step;
            all.found[found.kind]++;
            if (found.kind == PM_FOUND_KEY) all.keys[strlen(all.keys)] = (char)found.payload[0];
            if (found.kind != PM_FOUND_AUDIO) continue;
            CHECK(found.size > 0 && found.size <= reader.frame_octets);
            for (size_t i = 0; i < found.size; i++) {
                all.sum = all.sum * 31 + found.payload[i];
                all.audio_octets++;
            }
        }
        free(exact);
    }
    return all;
}

static uint32_t sum_of(const uint8_t *octets, size_t size) {
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i++) sum = sum * 31 + octets[i];
    return sum;
}

static void messages_are_found_however_they_are_split(void) {
    uint8_t audio[1600];
    for (size_t i = 0; i < sizeof audio; i++) audio[i] = (uint8_t)(i * 7);
    stream_size = 0;
    append(PM_AUDIOSOCKET_SLIN, audio, 320);
    append(PM_AUDIOSOCKET_KEY, "5", 1);
    append(PM_AUDIOSOCKET_SLIN, audio + 320, 2);
    append(PM_AUDIOSOCKET_SLIN, audio, 0);
    append(PM_AUDIOSOCKET_SLIN16, audio, 640);
    append(PM_AUDIOSOCKET_SLIN, audio + 322, 1000);
    append(PM_AUDIOSOCKET_KEY, "#", 1);
    append(PM_AUDIOSOCKET_ERROR, "\1", 1);
    append(PM_AUDIOSOCKET_HANGUP, NULL, 0);
    for (size_t chunk = 1; chunk <= stream_size; chunk++) {
        seen all = read_in_chunks(PM_LINEAR, chunk);
        CHECK(all.audio_octets == 1322 && all.sum == sum_of(audio, 1322));
        CHECK(all.found[PM_FOUND_AUDIO] == 1 + 1 + 4 && all.found[PM_FOUND_OTHER_AUDIO] == 1);
        CHECK(strcmp(all.keys, "5#") == 0);
        CHECK(all.found[PM_FOUND_ERROR] == 1 && all.found[PM_FOUND_HANGUP] == 1);
        CHECK(all.found[PM_FOUND_UNREADABLE] == 0 && all.found[PM_FOUND_BROKEN] == 0);
    }
}

static void what_is_no_message_of_its_kind_is_passed_over(void) {
    static const uint8_t some[700];
    stream_size = 0;
    append(PM_AUDIOSOCKET_SLIN, some, 3);
    append(PM_AUDIOSOCKET_KEY, "55", 2);
    append(PM_AUDIOSOCKET_KEY, "", 0);
    append(PM_AUDIOSOCKET_KEY, "x", 1);
    append(PM_AUDIOSOCKET_KEY, "\0", 1);
    append(0x42, some, 700);
    append(0x19, some, 2);
    append(PM_AUDIOSOCKET_SLIN, some, 4);
    for (size_t chunk = 1; chunk <= stream_size; chunk++) {
        seen all = read_in_chunks(PM_LINEAR, chunk);
        CHECK(all.found[PM_FOUND_UNREADABLE] == 7 && all.found[PM_FOUND_AUDIO] == 1 && all.audio_octets == 4);
    }
    stream_size = 0;
    append(PM_AUDIOSOCKET_SLIN16, some, 642); /* no whole number of what the jitter buffer counts */
    append(PM_AUDIOSOCKET_SLIN16, some, 640);
    CHECK(read_in_chunks(PM_LINEAR16, 1).found[PM_FOUND_UNREADABLE] == 1);
    CHECK(read_in_chunks(PM_LINEAR16, 1).audio_octets == 640);
}

static void a_length_that_no_message_has_ends_it_for_good(void) {
    stream_size = 0;
    append(PM_AUDIOSOCKET_SLIN, "ab", 2);
    memcpy(stream + stream_size, "\x10\xff\xff", 3);
    stream_size += 3;
    append(PM_AUDIOSOCKET_SLIN, "cd", 2);
    seen all = read_in_chunks(PM_LINEAR, 1);
    CHECK(all.audio_octets == 2 && all.found[PM_FOUND_BROKEN] == 1 + PM_AUDIOSOCKET_HEADER_SIZE + 2);
    CHECK(read_in_chunks(PM_LINEAR, stream_size).found[PM_FOUND_BROKEN] >= 1);
}

int main(void) {
    RUN(messages_are_found_however_they_are_split);
    RUN(what_is_no_message_of_its_kind_is_passed_over);
    RUN(a_length_that_no_message_has_ends_it_for_good);
    return 0;
}
