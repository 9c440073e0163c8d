/* Single tones of unknown frequency, and which of them are an answering machine's beep.
 *
 *   pm_tone_init     one stream
 *   pm_tone_feed     audio of any length in, tones that have shown what they are out
 *
 * Looks at frames of 20 ms. A frame is tonal when one spectral line between 350 and 2600 Hz holds 87 % of its energy or
 * more and it stands out of the noise floor by 6 dB. A tone is a run of three tonal frames or more whose frequency drifts
 * by less than 2 %. It is reported when what follows has shown what it is: 280 ms after its end at the latest (720 ms
 * between 400 and 480 Hz, where a beep and a busy tone look alike for so long), or when it has lasted 2 s.
 */
#ifndef PM_TONE_H
#define PM_TONE_H

#include "halve.h"
#include "noise_floor.h"
#include "pm.h"

/* Samples of one frame, at 8000 Hz. */
#define PM_TONE_FRAME 160
/* Tones that n more samples can bring at most. */
#define PM_TONE_EVENTS(n) ((size_t)(n) / PM_TONE_FRAME + 1)

typedef enum {
    PM_TONE_BEEP,       /* up to 1.5 s, after speech, before 250 ms of silence, and none of the others */
    PM_TONE_LONG,       /* longer than 1.5 s */
    PM_TONE_NO_SPEECH,  /* nobody spoke in the 15 s before it */
    PM_TONE_NO_SILENCE, /* something followed it at once */
    PM_TONE_SIT,        /* part of a special information tone: 950, 1400, 1800 Hz, one after the other */
    PM_TONE_FAX,        /* 1100 Hz of a calling fax, 2100 Hz of an answering one or a modem */
    PM_TONE_CADENCE,    /* ringing, busy or dial tone: 400 to 480 Hz, repeated or longer than 0.8 s */
} pm_tone_kind;

typedef struct {
    pm_tone_kind kind;
    float frequency_hz;
    float level_dbfs;
    int64_t position; /* of its first sample, to 20 ms */
    int64_t samples;  /* that it lasted, to 20 ms; so far, where it still goes on */
} pm_tone_event;

typedef struct {
    int64_t frame_start;   /* position of the frame being collected */
    int64_t run_start;     /* of tonal frames of one frequency */
    int64_t last_speech;   /* position of the newest loud frame without a tone */
    int64_t last_cadence;  /* end of the newest tone between 400 and 480 Hz */
    int64_t last_step;     /* end of the newest tone of a special information tone */
    pm_noise_floor noise;
    pm_tone_event pending; /* a tone that has ended and is being watched */
    bool is_pending;
    bool reported;         /* the run has been reported while it went on */
    int32_t quiet_frames;  /* after the pending tone */
    int32_t run_frames;
    int32_t speech_frames; /* loud frames without a tone, of late */
    int32_t step;          /* tones of a special information tone heard so far */
    int32_t per_sample;    /* samples of the stream for each at 8000 Hz */
    int32_t collected;     /* samples at 8000 Hz of the frame being collected */
    float frequency_hz;    /* mean over the run */
    float mean_square;     /* of the tone, mean over the run */
    pm_halver halver;
    int16_t pcm[PM_TONE_FRAME];
} pm_tone;

_Static_assert(sizeof(pm_tone) <= 576, "a tone detector fits 576 octets");

/* rate_hz: 8000 or 16000. False: not supported. */
bool pm_tone_init(pm_tone *tone, int rate_hz, int64_t start_position);

/* Take n samples, write the tones that have shown what they are; returns how many. Tones beyond `room` are not written:
 * PM_TONE_EVENTS(n) is always enough. */
size_t pm_tone_feed(pm_tone *tone, const int16_t *pcm, size_t n, pm_tone_event *events, size_t room);

#endif
