/* Single tones of unknown frequency, and which of them are an answering machine's beep.
 *
 *   pm_tone_init     one stream
 *   pm_tone_feed     audio of any length in, tones that have ended out
 *
 * Looks at frames of 20 ms. A frame is tonal when one spectral peak between 350 and 2600 Hz holds 85 % of its energy or
 * more and stands out of the noise floor by 15 dB. A tone is a run of tonal frames from 60 ms on whose frequency drifts
 * by less than 2 %. It is reported when what follows has shown what it is: 260 ms after its end at the latest, or when
 * it has lasted 2 s.
 */
#ifndef PM_TONE_H
#define PM_TONE_H

#include "pm.h"

/* Samples of one frame as they are looked at, at 8000 Hz. */
#define PM_TONE_FRAME 160
/* Tones that n more samples can bring at most. */
#define PM_TONE_EVENTS(n) ((size_t)(n) / PM_TONE_FRAME + 1)

typedef enum {
    PM_TONE_BEEP,          /* 80 to 1500 ms, after speech, before 250 ms of silence, and none of the others */
    PM_TONE_UNSTABLE,      /* too short or too long for a beep */
    PM_TONE_NO_SPEECH,     /* nobody spoke before it */
    PM_TONE_NO_SILENCE,    /* it was not followed by silence */
    PM_TONE_SIT,           /* a special information tone: part of the rising triplet 950, 1400, 1800 Hz */
    PM_TONE_FAX,           /* 1100 Hz of a calling fax, 2100 Hz of an answering one or a modem */
    PM_TONE_CADENCE,       /* ringing, busy or dial tone: 400 to 480 Hz, repeated or endless */
} pm_tone_kind;

typedef struct {
    pm_tone_kind kind;
    float frequency_hz;
    float level_dbfs;
    int64_t position; /* of its first sample, to 20 ms */
    int64_t samples;  /* that it lasted; so far, where it still goes on */
} pm_tone_event;

typedef struct {
    int64_t position;     /* of the frame being collected, at rate_hz */
    int64_t start;        /* of the run of tonal frames */
    int64_t end;          /* of the run; what follows is being watched */
    int64_t last_cadence; /* start of the last tone between 400 and 480 Hz */
    int32_t rate_hz;
    int32_t collected;    /* samples at rate_hz in the frame being collected */
    int32_t run_frames;   /* tonal frames in the run */
    int32_t gap_frames;   /* silent frames after it */
    int32_t speech_frames; /* loud frames without a tone, forgotten over 15 s */
    int32_t state;
    int32_t sit_step;     /* tones of the triplet heard so far */
    float frequency_hz;   /* mean over the run */
    float mean_square;    /* mean over the run */
    float noise;          /* mean square of what is always there */
    int16_t last_input[2]; /* for halving 16 kHz */
    int16_t pcm[PM_TONE_FRAME];
    int64_t sit_end;
} pm_tone;

_Static_assert(sizeof(pm_tone) <= 512, "a tone detector fits 512 octets");

/* rate_hz: 8000 or 16000. False: not supported. */
bool pm_tone_init(pm_tone *tone, int rate_hz, int64_t start_position);

/* Take n samples, write the tones that have shown what they are; returns how many. Tones beyond `room` are not written:
 * PM_TONE_EVENTS(n) is always enough. */
size_t pm_tone_feed(pm_tone *tone, const int16_t *pcm, size_t n, pm_tone_event *events, size_t room);

#endif
