/* The media core's kernels in C: what all of them share, and where each is found.
 *
 *   pcm.h       levels, zero crossings, fades, stereo, network order
 *   g711.h      µ-law and A-law
 *   g722.h      wideband in 64 kbit/s
 *   resample.h  8, 16, 24, 48 kHz (and from 22.05) by a polyphase filter of stated delay
 *   rtp.h       datagrams, telephone events, RTCP: nothing of the sender is trusted
 *   audiosocket.h   messages over a connection, of which nothing is trusted either; numbering.h numbers their audio
 *   jitter.h    playout buffer; uses sequence.h (what is new, what is lost) and transit.h (how much jitter there is)
 *   plc.h       concealment of what is missing
 *   vad.h       speech by energy, over the noise floor of noise_floor.h
 *   amd.h       how long the callee speaks and is silent: what answering-machine detection looks at
 *   dtmf.h      keys heard as tones
 *   tone.h      beeps and other single tones of unknown frequency; goertzel.h: tones of known frequency
 *   engine.h    the media engine, which puts them to work: threads, sockets, rings (its own rules are there)
 *
 * Rules. C11, no Python, no system calls. Nothing here allocates: a state is a plain struct that its `_init` makes
 * complete; memory of variable size is handed in by the caller and must outlive the state. A state belongs to one
 * thread at a time; states share nothing that changes. PCM is int16 in the machine's order, mono; `n` counts samples
 * and may be 0; positions are int64 sample counts. Input and output must not overlap unless a function says so.
 * Results are the same on every processor, with and without vector instructions (built with -ffp-contract=off).
 */
#ifndef PM_H
#define PM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Functions marked so are compiled twice, the second time for AVX2, and chosen once when the library is loaded.
 * Builds with sanitizers define PM_NO_CLONES: their checks cannot run that early. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(PM_NO_CLONES)
#define PM_CLONES __attribute__((target_clones("avx2", "default")))
#define PM_AVX2 __attribute__((target("avx2")))
#else
#define PM_CLONES
#endif

/* Helpers that must become part of the function that is compiled twice. */
#define PM_INLINE static inline __attribute__((always_inline))

/* The rates that detectors and resamplers know. */
PM_INLINE bool pm_rate_known(int rate_hz) {
    return rate_hz == 8000 || rate_hz == 16000 || rate_hz == 24000 || rate_hz == 48000;
}

PM_INLINE int64_t pm_min(int64_t one, int64_t other) { return one < other ? one : other; }

PM_INLINE int64_t pm_max(int64_t one, int64_t other) { return one > other ? one : other; }

#endif
