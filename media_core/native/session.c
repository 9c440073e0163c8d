#define _GNU_SOURCE 1 /* recvmmsg, sendmmsg */

#include <string.h>

#include "g711.h"
#include "pcm.h"
#include "session_parts.h"

/* --- making one ------------------------------------------------------------------------------------------- */

#define JITTER_MEMORY PM_JITTER_MEMORY(PM_JITTER_SMALL_SAMPLES, 2)
#define RX_MEMORY (PM_RX_FRAMES * PM_FRAME_MAX * sizeof(int16_t))
#define PIECES_MEMORY (PM_PLAYOUT_PIECES * sizeof(pm_piece))
#define HISTORY_MEMORY (PM_PLC_HISTORY(16000) * sizeof(int16_t))

size_t pm_session_memory(void) {
    return (RX_MEMORY + PIECES_MEMORY + JITTER_MEMORY + HISTORY_MEMORY + 63) / 64 * 64;
}

static void init_stream(pm_session *session, uint8_t *jitter, int16_t *history) {
    /* The same memory for every codec: for the widest, the longest delay and one packet of 20 ms beside it. */
    int32_t capacity = session->codec.octets_per_tick > 2 ? PM_JITTER_SMALL_SAMPLES / 2 : PM_JITTER_SMALL_SAMPLES;
    pm_jitter_setup setup = {
        .rate_hz = PM_RTP_CLOCK_HZ,
        .frame_samples = PM_FRAME_TICKS,
        .octets_per_sample = session->codec.octets_per_tick,
        .max_delay_ms = 120,
        .capacity_samples = capacity,
    };
    (void)pm_jitter_init(&session->jitter, &setup, jitter, JITTER_MEMORY);
    (void)pm_plc_init(&session->plc, session->codec.rate_hz, history);
    pm_g722_init(&session->decoder);
    pm_keys_init(&session->keys);
}

void pm_session_init(pm_session *session, const pm_session_setup *setup, void *memory) {
    uint64_t handle = session->handle;
    uint32_t number = session->number;
    uint8_t *rx = memory;
    uint8_t *pieces = rx + RX_MEMORY;
    uint8_t *jitter = pieces + PIECES_MEMORY;
    memset(session, 0, sizeof *session);
    memset(memory, 0, pm_session_memory());
    session->handle = handle;
    session->number = number;
    session->setup = *setup;
    session->codec = pm_codec_of(setup->codec);
    atomic_store_explicit(&session->alarm, PM_NO_ALARM, memory_order_relaxed);
    atomic_store_explicit(&session->switches, setup->switches, memory_order_relaxed);
    pm_playout_init(&session->playout, session->codec.rate_hz, session->codec.frame_samples, (void *)pieces);
    pm_rx_init(&session->rx, (void *)rx, session->codec.frame_samples, setup->block_frames);
    init_stream(session, jitter, (void *)(jitter + JITTER_MEMORY));
    pm_vad_setup voice = pm_vad_defaults(session->codec.rate_hz);
    (void)pm_vad_init(&session->vad, &voice);
    session->timestamp = setup->timestamp;
    session->sequence = setup->sequence;
    session->resuming = true;
    pm_g722_init(&session->encoder);
}

/* --- what it tells ---------------------------------------------------------------------------------------- */

/* The target delay moves slowly, and costs more to know than the other counts together. */
#define TARGET_FRAMES 16

static void publish_counts(pm_session *session) {
    pm_session_counts *counts = &session->counts;
    counts->received = session->jitter.received;
    counts->lost = pm_jitter_lost(&session->jitter);
    counts->late = session->jitter.late;
    counts->duplicate = session->jitter.duplicate;
    counts->concealed = session->jitter.concealed;
    counts->discarded = session->jitter.discarded;
    counts->jitter_depth = pm_jitter_depth(&session->jitter);
    if (session->beats % TARGET_FRAMES == 1) counts->jitter_target = pm_jitter_target(&session->jitter);
    counts->rtcp_reports = session->rtcp.blocks;
    counts->rtcp_fraction_lost = session->rtcp.fraction_lost;
    counts->rtcp_jitter = session->rtcp.jitter;
    uint64_t words[PM_COUNTS_WORDS] = {0};
    memcpy(words, counts, sizeof *counts);
    uint32_t version = atomic_load_explicit(&session->counts_version, memory_order_relaxed);
    atomic_store_explicit(&session->counts_version, version + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < PM_COUNTS_WORDS; i++) {
        atomic_store_explicit(&session->counts_words[i], words[i], memory_order_relaxed);
    }
    atomic_store_explicit(&session->counts_version, version + 2, memory_order_release);
}

pm_session_counts pm_session_counts_of(pm_session *session) {
    uint64_t words[PM_COUNTS_WORDS];
    pm_session_counts counts;
    uint32_t before;
    uint32_t after;
    do {
        before = atomic_load_explicit(&session->counts_version, memory_order_acquire);
        for (size_t i = 0; i < PM_COUNTS_WORDS; i++) {
            words[i] = atomic_load_explicit(&session->counts_words[i], memory_order_relaxed);
        }
        atomic_thread_fence(memory_order_acquire);
        after = atomic_load_explicit(&session->counts_version, memory_order_relaxed);
    } while (before != after || (before & 1) != 0);
    memcpy(&counts, words, sizeof counts);
    return counts;
}

/* --- listening -------------------------------------------------------------------------------------------- */

static void decode(pm_session *session, const uint8_t *payload, int16_t *pcm) {
    switch (session->setup.codec) {
        case PM_ULAW: pm_ulaw_decode(payload, pcm, PM_FRAME_TICKS); break;
        case PM_ALAW: pm_alaw_decode(payload, pcm, PM_FRAME_TICKS); break;
        case PM_SLIN: pm_l16_decode(payload, pcm, PM_FRAME_TICKS); break;
        case PM_G722: pm_g722_decode(&session->decoder, payload, pcm, PM_FRAME_TICKS); break;
        case PM_LINEAR:
        case PM_LINEAR16: pm_le16_decode(payload, pcm, (size_t)session->codec.frame_samples); break;
    }
}

/* Switched on detectors begin with this frame. */
static void turn_switches(pm_session *session, int64_t position) {
    uint32_t switches = atomic_load_explicit(&session->switches, memory_order_relaxed);
    uint32_t turned_on = switches & ~session->listening_for;
    if (turned_on & PM_SWITCH_DTMF) (void)pm_dtmf_init(&session->dtmf, session->codec.rate_hz, position, -45.0);
    if (turned_on & PM_SWITCH_TONES) (void)pm_tone_init(&session->tone, session->codec.rate_hz, position);
    if (turned_on & PM_SWITCH_CALLEE) pm_amd_init(&session->amd, &session->vad);
    session->listening_for = switches;
}

static void find_speech(pm_session *session, const int16_t *pcm, size_t n, pm_events *events) {
    pm_vad_edge edges[PM_VAD_EDGES(PM_FRAME_MAX, 16000)];
    size_t found = pm_vad_feed(&session->vad, pcm, n, edges, sizeof edges / sizeof *edges);
    for (size_t i = 0; i < found; i++) {
        pm_session_tell(session, events,
                        (pm_engine_event){.kind = edges[i].started ? PM_SPEECH_STARTED : PM_SPEECH_STOPPED,
                                          .position = edges[i].position});
    }
}

static void find_digits(pm_session *session, const int16_t *pcm, size_t n, pm_events *events) {
    pm_dtmf_event found[PM_DTMF_EVENTS(PM_FRAME_MAX)];
    size_t count = pm_dtmf_feed(&session->dtmf, pcm, n, found, sizeof found / sizeof *found);
    for (size_t i = 0; i < count; i++) {
        pm_session_tell(session, events,
                        (pm_engine_event){.kind = found[i].pressed ? PM_DIGIT_PRESSED : PM_DIGIT_RELEASED,
                                          .code = (uint16_t)(unsigned char)found[i].digit,
                                          .value = PM_KEY_BY_TONE,
                                          .position = found[i].position,
                                          .samples = found[i].pressed ? 0 : found[i].samples,
                                          .level_dbfs = found[i].level_dbfs});
    }
}

static void find_tones(pm_session *session, const int16_t *pcm, size_t n, pm_events *events) {
    pm_tone_event found[PM_TONE_EVENTS(PM_FRAME_MAX)];
    size_t count = pm_tone_feed(&session->tone, pcm, n, found, sizeof found / sizeof *found);
    for (size_t i = 0; i < count; i++) {
        pm_session_tell(session, events,
                        (pm_engine_event){.kind = PM_TONE_HEARD,
                                          .code = (uint16_t)found[i].kind,
                                          .position = found[i].position,
                                          .samples = (int32_t)pm_min(found[i].samples, INT32_MAX),
                                          .level_dbfs = found[i].level_dbfs,
                                          .frequency_hz = found[i].frequency_hz});
    }
}

static void follow_callee(pm_session *session, pm_events *events) {
    pm_amd_follow(&session->amd, &session->vad);
    session->counts.callee = pm_amd_features(&session->amd);
    if (session->counts.callee.in_word == session->callee_in_word) return;
    session->callee_in_word = session->counts.callee.in_word;
    pm_session_tell(session, events,
                    (pm_engine_event){.kind = PM_CALLEE_CHANGED,
                                      .code = session->callee_in_word,
                                      .value = session->counts.callee.words,
                                      .position = pm_vad_position(&session->vad)});
}

/* Give the frame to the reader, and tell him of whole blocks. */
static void hand_over(pm_session *session, const int16_t *pcm, size_t n, pm_events *events) {
    session->block_energy += (double)pm_sum_of_squares(pcm, n);
    session->block_crossings += (int32_t)pm_zero_crossings(pcm, n, session->last_sample);
    session->last_sample = pcm[n - 1];
    if (!pm_rx_write(&session->rx, pcm)) return;
    int32_t block = session->rx.block;
    pm_session_tell(session, events,
                    (pm_engine_event){.kind = PM_BLOCK_READY,
                                      .position = pm_vad_position(&session->vad) - block,
                                      .samples = block,
                                      .level_dbfs = (float)pm_dbfs(session->block_energy / block),
                                      .value = session->block_crossings});
    session->block_energy = 0.0;
    session->block_crossings = 0;
}

static void listen_on(pm_session *session, int16_t *pcm, pm_events *events) {
    uint8_t payload[PM_PAYLOAD_MAX];
    size_t n = (size_t)session->codec.frame_samples;
    if (pm_jitter_get(&session->jitter, payload)) {
        decode(session, payload, pcm);
        pm_plc_good(&session->plc, pcm, n);
    } else {
        pm_plc_lost(&session->plc, pcm, n);
    }
    /* What is from before the session clock's 0 is for nobody. */
    if (session->beats <= 1 + PM_LISTENING_DELAY_FRAMES) return;
    turn_switches(session, pm_vad_position(&session->vad));
    find_speech(session, pcm, n, events);
    if (session->listening_for & PM_SWITCH_DTMF) find_digits(session, pcm, n, events);
    if (session->listening_for & PM_SWITCH_TONES) find_tones(session, pcm, n, events);
    if (session->listening_for & PM_SWITCH_CALLEE) follow_callee(session, events);
    hand_over(session, pcm, n, events);
}

/* --- speaking --------------------------------------------------------------------------------------------- */

static pm_form form_of(pm_codec_name codec) {
    switch (codec) {
        case PM_ULAW: return PM_FORM_ULAW;
        case PM_ALAW: return PM_FORM_ALAW;
        case PM_SLIN:
        case PM_G722:
        case PM_LINEAR:
        case PM_LINEAR16: break;
    }
    return PM_FORM_PCM;
}

size_t pm_session_encode(pm_session *session, const int16_t *pcm, uint8_t *payload) {
    switch (session->setup.codec) {
        case PM_ULAW: pm_ulaw_encode(pcm, payload, PM_FRAME_TICKS); break;
        case PM_ALAW: pm_alaw_encode(pcm, payload, PM_FRAME_TICKS); break;
        case PM_SLIN: pm_l16_encode(pcm, payload, PM_FRAME_TICKS); break;
        case PM_G722: pm_g722_encode(&session->encoder, pcm, payload, PM_FRAME_TICKS); break;
        case PM_LINEAR:
        case PM_LINEAR16: pm_le16_encode(pcm, payload, (size_t)session->codec.frame_samples); break;
    }
    return (size_t)(PM_FRAME_TICKS * session->codec.octets_per_tick);
}

static void decode_piece(const pm_playout_frame *frame, int16_t *pcm) {
    if (frame->form == PM_FORM_ULAW) {
        pm_ulaw_decode(frame->payload, pcm, PM_FRAME_TICKS);
    } else {
        pm_alaw_decode(frame->payload, pcm, PM_FRAME_TICKS);
    }
}

static void tell_playout(pm_session *session, const pm_playout_frame *frame, int64_t position, pm_events *events) {
    if (frame->underrun) {
        session->counts.underruns++;
        pm_session_tell(session, events,
                        (pm_engine_event){.kind = PM_UNDERRUN, .position = position + frame->started_at});
    }
    if (frame->started_at >= 0) {
        pm_session_tell(session, events,
                        (pm_engine_event){.kind = PM_PLAYOUT_STARTED, .position = position + frame->started_at});
    }
    for (int32_t i = 0; i < frame->marks; i++) {
        pm_session_tell(session, events,
                        (pm_engine_event){.kind = PM_MARK_REACHED,
                                          .value = frame->reached[i].mark,
                                          .position = position + frame->reached[i].offset});
    }
}

static void speak(pm_session *session, int16_t *pcm, const pm_beat *beat) {
    pm_playout_frame frame;
    pm_playout_take(&session->playout, pcm, &frame);
    bool as_it_is = frame.payload != NULL && frame.form == form_of(session->setup.codec);
    if (frame.payload != NULL && (!as_it_is || session->tap != NULL)) decode_piece(&frame, pcm);
    if (session->link != NULL) {
        if (frame.played > 0 || session->setup.idle_frames) pm_session_send_message(session, pcm);
    } else if (frame.played > 0 || session->setup.idle_frames) {
        pm_session_send_packet(session, pcm, as_it_is ? frame.payload : NULL, beat);
    } else {
        pm_session_pause_stream(session);
    }
    tell_playout(session, &frame, pm_session_now(session), beat->events);
}

/* Say nothing: what is played waits. */
static void fall_silent(pm_session *session, int16_t *pcm) {
    pm_session_pause_stream(session);
    memset(pcm, 0, (size_t)session->codec.frame_samples * sizeof *pcm);
}

/* --- one beat --------------------------------------------------------------------------------------------- */

static void record(pm_session *session, const int16_t *heard, const int16_t *said, pm_events *events) {
    pm_tap_write(session->tap, pm_session_now(session), heard, said);
    session->counts.tap_dropped = (int64_t)atomic_load_explicit(&session->tap->dropped, memory_order_relaxed);
    if (++session->tap_frames % PM_TAP_READY_FRAMES == 0) {
        pm_session_tell(session, events, (pm_engine_event){.kind = PM_TAP_READY, .position = pm_session_now(session)});
    }
}

static void ring_alarm(pm_session *session, pm_events *events) {
    int64_t alarm = atomic_load_explicit(&session->alarm, memory_order_relaxed);
    /* An alarm that cannot be told stays set: it rings late rather than never. */
    if (alarm == PM_NO_ALARM || pm_session_now(session) < alarm || !pm_events_fit(events)) return;
    if (atomic_compare_exchange_strong_explicit(&session->alarm, &alarm, PM_NO_ALARM, memory_order_relaxed,
                                                memory_order_relaxed)) {
        pm_session_tell(session, events, (pm_engine_event){.kind = PM_ALARM_REACHED, .position = alarm});
    }
}

static void miss_peer(pm_session *session, pm_events *events) {
    int32_t timeout_ms = session->setup.peer_timeout_ms;
    int64_t timeout = (int64_t)timeout_ms * session->codec.rate_hz / 1000;
    if (timeout_ms == 0 || session->missed || pm_session_peer_silent(session) < timeout) return;
    if (!pm_events_fit(events)) return;
    session->missed = true;
    pm_session_tell(session, events,
                    (pm_engine_event){.kind = PM_PEER_SILENT, .position = pm_session_now(session), .value = timeout_ms});
}

void pm_session_beat(pm_session *session, const pm_beat *beat) {
    _Alignas(8) int16_t heard[PM_FRAME_MAX];
    int16_t said[PM_FRAME_MAX];
    session->beats++;
    atomic_store_explicit(&session->position, pm_session_now(session), memory_order_release);
    session->counts.late_beats += beat->behind_ns > PM_LATE_NS;
    listen_on(session, heard, beat->events);
    if (session->feed != NULL) {
        fall_silent(session, said); /* what is said goes by other ways */
    } else if (!beat->sending) {
        session->counts.skipped_frames++;
        fall_silent(session, said);
    } else if (session->link != NULL && !pm_session_takes_message(session)) {
        fall_silent(session, said);
    } else {
        speak(session, said, beat);
    }
    if (session->tap != NULL) record(session, heard, said, beat->events);
    ring_alarm(session, beat->events);
    miss_peer(session, beat->events);
    publish_counts(session);
}

void pm_session_end_tap(pm_session *session, pm_events *events) {
    if (session->tap == NULL) return;
    pm_tap_end(session->tap);
    session->tap = NULL;
    pm_session_tell(session, events, (pm_engine_event){.kind = PM_TAP_ENDED, .position = pm_session_now(session)});
}
