/* Each kernel on the same input: right as far as a line can tell, and a digest of all that it made. What the digests are
 * does not matter here: other_processor.py compares them between processors. */
#include <math.h>
#include <string.h>

#include "amd.h"
#include "check.h"
#include "dtmf.h"
#include "g711.h"
#include "g722.h"
#include "pcm.h"
#include "plc.h"
#include "resample.h"
#include "tone.h"
#include "vad.h"

#define RATE 8000
#define SAMPLES (4 * RATE)
#define FRAME 160

static int16_t line[SAMPLES];
static int16_t heard[6 * SAMPLES];
static uint8_t payload[SAMPLES];

/* FNV-1a, told with the test's name. */
static void tell_digest(const char *what, const void *made, size_t octets) {
    const uint8_t *octet = made;
    uint64_t digest = 14695981039346656037u;
    for (size_t i = 0; i < octets; i++) digest = (digest ^ octet[i]) * 1099511628211u;
    printf("%-10s %016llx\n", what, (unsigned long long)digest);
}

static void add_sine(double hz, double level, size_t start, size_t n) {
    for (size_t i = start; i < start + n; i++) {
        line[i] = pm_saturate(line[i] + level * sin(2 * 3.14159265358979323846 * hz * (double)i / RATE));
    }
}

/* Quiet noise; a burst like a voice from 0.5 s; a key from 2 s; a beep of 400 ms from 2.5 s. */
static void make_line(void) {
    uint32_t random = 1;
    for (size_t i = 0; i < SAMPLES; i++) line[i] = (int16_t)(next_random(&random) % 17) - 8;
    for (int harmonic = 1; harmonic < 9; harmonic++) add_sine(140.0 * harmonic, 5000.0 / harmonic, RATE / 2, RATE);
    add_sine(770, 4000, 2 * RATE, RATE / 10);
    add_sine(1336, 4000, 2 * RATE, RATE / 10);
    add_sine(1000, 6000, 5 * RATE / 2, 2 * RATE / 5);
}

static void g711_keeps_what_it_is_given_within_its_steps(void) {
    void (*encode[])(const int16_t *, uint8_t *, size_t) = {pm_ulaw_encode, pm_alaw_encode};
    void (*decode[])(const uint8_t *, int16_t *, size_t) = {pm_ulaw_decode, pm_alaw_decode};
    for (int law = 0; law < 2; law++) {
        encode[law](line, payload, SAMPLES);
        decode[law](payload, heard, SAMPLES);
        for (size_t i = 0; i < SAMPLES; i++) CHECK(abs(heard[i] - line[i]) <= abs(line[i]) / 16 + 16);
        tell_digest(law ? "alaw" : "ulaw", payload, SAMPLES);
        tell_digest("decoded", heard, SAMPLES * sizeof *heard);
    }
}

static void l16_is_in_network_order(void) {
    static uint8_t wide[2 * SAMPLES];
    pm_l16_encode(line, wide, SAMPLES);
    CHECK((int16_t)(wide[2 * RATE] << 8 | wide[2 * RATE + 1]) == line[RATE]);
    pm_l16_decode(wide, heard, SAMPLES);
    CHECK(memcmp(heard, line, sizeof line) == 0);
}

static void g722_hears_the_level_that_was_said(void) {
    pm_g722 coder;
    pm_g722_init(&coder);
    pm_g722_encode(&coder, line, payload, SAMPLES / 2);
    tell_digest("g722", payload, SAMPLES / 2);
    pm_g722_init(&coder);
    pm_g722_decode(&coder, payload, heard, SAMPLES / 2);
    tell_digest("decoded", heard, SAMPLES * sizeof *heard);
    CHECK(fabs(pm_level_dbfs(heard, SAMPLES) - pm_level_dbfs(line, SAMPLES)) < 1);
}

static void resampling_up_and_down_keeps_the_level(void) {
    static float memory[200000];
    static const int rates[] = {16000, 24000, 48000};
    static int16_t back[SAMPLES + 1];
    for (int i = 0; i < 3; i++) {
        pm_filter up, down;
        pm_resampler resampler;
        size_t used = pm_filter_floats(RATE, rates[i]);
        CHECK(pm_filter_init(&up, RATE, rates[i], memory));
        pm_resampler_init(&resampler, &up, memory + used, SAMPLES);
        size_t made = pm_resample(&resampler, line, SAMPLES, heard, 6 * SAMPLES);
        tell_digest("resampled", heard, made * sizeof *heard);
        used = pm_filter_floats(rates[i], RATE);
        CHECK(used + pm_resampler_floats(&up, FRAME) < 200000);
        CHECK(pm_filter_init(&down, rates[i], RATE, memory));
        size_t step = FRAME * (size_t)(rates[i] / RATE);
        pm_resampler_init(&resampler, &down, memory + used, step);
        size_t count = 0;
        for (size_t at = 0; at + step <= made; at += step) {
            count += pm_resample(&resampler, heard + at, step, back + count, SAMPLES + 1 - count);
        }
        tell_digest("and back", back, count * sizeof *back);
        CHECK(fabs(pm_level_dbfs(back, count) - pm_level_dbfs(line, SAMPLES)) < 0.5);
    }
}

static void a_lost_frame_sounds_like_the_one_before(void) {
    static int16_t history[4000];
    pm_plc concealer;
    CHECK(pm_plc_init(&concealer, RATE, history));
    memcpy(heard, line, sizeof line);
    for (int frame = 0; frame < SAMPLES / FRAME; frame++) {
        int16_t *pcm = heard + frame * FRAME;
        if (frame % 7 == 3) {
            pm_plc_lost(&concealer, pcm, FRAME);
        } else {
            pm_plc_good(&concealer, pcm, FRAME);
        }
    }
    CHECK(fabs(pm_level_dbfs(heard, SAMPLES) - pm_level_dbfs(line, SAMPLES)) < 2);
    tell_digest("concealed", heard, SAMPLES * sizeof *heard);
}

static void the_voice_the_key_and_the_beep_are_found_where_they_are(void) {
    pm_vad_setup setup = pm_vad_defaults(RATE);
    pm_vad vad;
    pm_vad_edge edges[16];
    pm_amd amd;
    CHECK(pm_vad_init(&vad, &setup));
    pm_amd_init(&amd, &vad);
    size_t count = 0;
    for (size_t at = 0; at < SAMPLES; at += FRAME) {
        count += pm_vad_feed(&vad, line + at, FRAME, edges + count, 16 - count);
        pm_amd_follow(&amd, &vad);
    }
    CHECK(count >= 2 && edges[0].started && !edges[1].started);
    CHECK(llabs(edges[0].position - RATE / 2) <= 160 && llabs(edges[1].position - 3 * RATE / 2) <= 320);
    for (size_t i = 0; i < count; i++) tell_digest("edge", &edges[i].position, sizeof edges[i].position);
    pm_amd_seen seen = pm_amd_features(&amd);
    int32_t times[] = {seen.initial_silence_ms, seen.speech_ms, seen.words, seen.longest_word_ms, seen.greeting_ms};
    tell_digest("words", times, sizeof times);

    pm_dtmf dtmf;
    pm_dtmf_event keys[8];
    CHECK(pm_dtmf_init(&dtmf, RATE, 0, -45));
    count = pm_dtmf_feed(&dtmf, line, SAMPLES, keys, 8);
    CHECK(count == 2 && keys[0].digit == '5' && keys[0].pressed && !keys[1].pressed);
    tell_digest("key", &keys[1].samples, sizeof keys[1].samples);

    pm_tone tone;
    pm_tone_event tones[8];
    CHECK(pm_tone_init(&tone, RATE, 0));
    count = pm_tone_feed(&tone, line, SAMPLES, tones, 8);
    CHECK(count >= 1 && tones[count - 1].kind == PM_TONE_BEEP && fabsf(tones[count - 1].frequency_hz - 1000) < 10);
    tell_digest("beep", &tones[count - 1].samples, sizeof tones[count - 1].samples);
}

int main(void) {
    make_line();
    tell_digest("line", line, sizeof line);
    RUN(g711_keeps_what_it_is_given_within_its_steps);
    RUN(l16_is_in_network_order);
    RUN(g722_hears_the_level_that_was_said);
    RUN(resampling_up_and_down_keeps_the_level);
    RUN(a_lost_frame_sounds_like_the_one_before);
    RUN(the_voice_the_key_and_the_beep_are_found_where_they_are);
    return 0;
}
