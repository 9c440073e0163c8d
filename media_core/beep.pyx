# distutils: sources = media_core/native/tone.c media_core/native/halve.c media_core/native/noise_floor.c media_core/native/pcm.c
"""Single tones of unknown frequency, and which of them are an answering machine's beep.

For leaving a message after the beep; no call uses it yet.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int16_t

from media_core.pcm cimport samples_in

from media_core.errors import RateError

cdef enum:
    # Frames fed at once: each can bring a tone.
    PIECE_FRAMES = 16

cdef dict KINDS = {
    PM_TONE_BEEP: "beep",
    PM_TONE_LONG: "long",
    PM_TONE_NO_SPEECH: "no_speech",
    PM_TONE_NO_SILENCE: "no_silence",
    PM_TONE_SIT: "sit",
    PM_TONE_FAX: "fax",
    PM_TONE_CADENCE: "cadence",
}


@cython.final
cdef class HeardTone:
    """A tone that has shown what it is."""

    def __init__(self):
        raise TypeError("HeardTone is made by BeepDetector.feed()")

    def __repr__(self):
        return f"HeardTone(kind={self.kind!r}, frequency_hz={self.frequency_hz:.0f}, position={self.position})"


cdef HeardTone new_tone(const pm_tone_event *event):
    cdef HeardTone heard = HeardTone.__new__(HeardTone)
    heard.kind = KINDS[event.kind]
    heard.frequency_hz = event.frequency_hz
    heard.level_dbfs = event.level_dbfs
    heard.position = event.position
    heard.samples = event.samples
    return heard


@cython.final
cdef class BeepDetector:
    """Find single tones of 60 ms or more in one stream, and tell beeps from the others.

    A beep is a tone of 350 to 2600 Hz and at most 1.5 s, after somebody has spoken, before 250 ms of silence, and no
    part of a fax, an information tone or a ringing or busy tone. How the audio is split makes no difference.
    """

    def __cinit__(self, int rate_hz, *, long long start_position=0):
        """Prepare to listen.

        start_position: position of the first sample fed. Raises RateError if rate_hz is not 8000 or 16000.
        """
        if not pm_tone_init(&self._tone, rate_hz, start_position):
            raise RateError(f"tones cannot be heard at {rate_hz} Hz; give 8000 or 16000")

    def feed(self, bytes pcm not None):
        """Take the next audio and return the tones that have shown in it what they are, mostly none.

        That is 280 ms after a tone's end at the latest (720 ms between 400 and 480 Hz), or when it has lasted 2 s.
        pcm: int16 little-endian mono, any length. Raises FrameSizeError if pcm is not whole samples.
        """
        cdef pm_tone_event[PIECE_FRAMES + 1] found
        cdef Py_ssize_t samples = samples_in(pcm)
        cdef const int16_t *rest = <const int16_t *>PyBytes_AS_STRING(pcm)
        cdef Py_ssize_t piece
        cdef size_t count, i
        cdef list tones = []
        while samples > 0:
            piece = min(samples, <Py_ssize_t>(PIECE_FRAMES * PM_TONE_FRAME))
            count = pm_tone_feed(&self._tone, rest, piece, found, PIECE_FRAMES + 1)
            for i in range(count):
                tones.append(new_tone(&found[i]))
            rest += piece
            samples -= piece
        return tones
