"""G.711: µ-law and A-law companding of 8 kHz telephone audio.

Called once per frame by audio_fork. Works by tables, made once at import: 24 KiB for encoding, 1 KiB for decoding.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int16_t, uint8_t, uint16_t

from media_core.pcm cimport new_pcm, samples_in

cdef enum:
    # Added to a 14-bit magnitude so that each segment begins at a power of two.
    ULAW_BIAS = 33
    # Greatest 14-bit magnitude that does not overflow the last segment together with the bias.
    ULAW_CLIP = 8158
    # A-law inverts the even bits on the line (ITU-T G.711 §3).
    ALAW_TOGGLE = 0x55

cdef uint8_t[16384] ULAW_BY_SAMPLE
cdef uint8_t[8192] ALAW_BY_SAMPLE
cdef int16_t[256] SAMPLE_BY_ULAW
cdef int16_t[256] SAMPLE_BY_ALAW


cdef int highest_bit(int value) noexcept nogil:
    """Return the index of the highest bit set; value is positive."""
    cdef int index = 0
    while value > 1:
        value >>= 1
        index += 1
    return index


cdef uint8_t ulaw_code(int sample) noexcept nogil:
    """Compand a 14-bit sample: sign, segment and four bits of mantissa, all inverted on the line."""
    cdef int magnitude = min(-sample if sample < 0 else sample, <int>ULAW_CLIP) + ULAW_BIAS
    cdef int segment = highest_bit(magnitude) - 5
    cdef int code = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0F)
    return <uint8_t>((code ^ 0x7F) if sample < 0 else (code ^ 0xFF))


cdef int16_t ulaw_sample(int code) noexcept nogil:
    """Expand to the middle of the code's interval, scaled to 16 bits."""
    cdef int inverted = code ^ 0xFF
    cdef int segment = (inverted >> 4) & 0x07
    cdef int magnitude = ((((inverted & 0x0F) << 1) + ULAW_BIAS) << segment) - ULAW_BIAS
    return <int16_t>(-4 * magnitude if inverted & 0x80 else 4 * magnitude)


cdef uint8_t alaw_code(int sample) noexcept nogil:
    """Compand a 13-bit sample; the negative half is mirrored at -1/2 (ITU-T G.711 table 1b)."""
    cdef int magnitude = -sample - 1 if sample < 0 else sample
    cdef int segment = highest_bit(magnitude) - 4 if magnitude >= 32 else 0
    cdef int shift = segment if segment > 1 else 1
    cdef int code = (segment << 4) | ((magnitude >> shift) & 0x0F)
    return <uint8_t>((code if sample < 0 else code | 0x80) ^ ALAW_TOGGLE)


cdef int16_t alaw_sample(int code) noexcept nogil:
    """Expand to the middle of the code's interval, scaled to 16 bits."""
    cdef int toggled = code ^ ALAW_TOGGLE
    cdef int segment = (toggled >> 4) & 0x07
    cdef int magnitude = ((toggled & 0x0F) << 1) + 1
    if segment > 0:
        magnitude = (magnitude + 32) << (segment - 1)
    return <int16_t>(8 * magnitude if toggled & 0x80 else -8 * magnitude)


cdef void fill_tables() noexcept nogil:
    cdef int i
    for i in range(16384):
        ULAW_BY_SAMPLE[i] = ulaw_code(i if i < 8192 else i - 16384)
    for i in range(8192):
        ALAW_BY_SAMPLE[i] = alaw_code(i if i < 4096 else i - 8192)
    for i in range(256):
        SAMPLE_BY_ULAW[i] = ulaw_sample(i)
        SAMPLE_BY_ALAW[i] = alaw_sample(i)


fill_tables()


cdef void ulaw_encode_samples(const int16_t *pcm, uint8_t *payload, Py_ssize_t samples) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(samples):
        payload[i] = ULAW_BY_SAMPLE[<uint16_t>pcm[i] >> 2]


cdef void ulaw_decode_samples(const uint8_t *payload, int16_t *pcm, Py_ssize_t samples) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(samples):
        pcm[i] = SAMPLE_BY_ULAW[payload[i]]


cdef void alaw_encode_samples(const int16_t *pcm, uint8_t *payload, Py_ssize_t samples) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(samples):
        payload[i] = ALAW_BY_SAMPLE[<uint16_t>pcm[i] >> 3]


cdef void alaw_decode_samples(const uint8_t *payload, int16_t *pcm, Py_ssize_t samples) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(samples):
        pcm[i] = SAMPLE_BY_ALAW[payload[i]]


def ulaw_encode(bytes pcm not None):
    """Encode linear PCM to G.711 µ-law (ITU-T G.711 table 2; 14 significant bits, as audioop does).

    pcm: int16 little-endian mono. Returns one octet per sample; empty for empty.
    Raises FrameSizeError if pcm is not whole samples.
    """
    cdef Py_ssize_t samples = samples_in(pcm)
    cdef bytes payload = PyBytes_FromStringAndSize(NULL, samples)
    ulaw_encode_samples(<const int16_t *>PyBytes_AS_STRING(pcm), <uint8_t *>PyBytes_AS_STRING(payload), samples)
    return payload


def ulaw_decode(bytes payload not None):
    """Decode G.711 µ-law to linear PCM, ±32124.

    payload: one octet per sample. Returns int16 little-endian mono; empty for empty.
    """
    cdef Py_ssize_t samples = PyBytes_GET_SIZE(payload)
    cdef bytes pcm = new_pcm(samples)
    ulaw_decode_samples(<const uint8_t *>PyBytes_AS_STRING(payload), <int16_t *>PyBytes_AS_STRING(pcm), samples)
    return pcm


def alaw_encode(bytes pcm not None):
    """Encode linear PCM to G.711 A-law (ITU-T G.711 table 1; 13 significant bits, as audioop does).

    pcm: int16 little-endian mono. Returns one octet per sample; empty for empty.
    Raises FrameSizeError if pcm is not whole samples.
    """
    cdef Py_ssize_t samples = samples_in(pcm)
    cdef bytes payload = PyBytes_FromStringAndSize(NULL, samples)
    alaw_encode_samples(<const int16_t *>PyBytes_AS_STRING(pcm), <uint8_t *>PyBytes_AS_STRING(payload), samples)
    return payload


def alaw_decode(bytes payload not None):
    """Decode G.711 A-law to linear PCM, ±32256.

    payload: one octet per sample. Returns int16 little-endian mono; empty for empty.
    """
    cdef Py_ssize_t samples = PyBytes_GET_SIZE(payload)
    cdef bytes pcm = new_pcm(samples)
    alaw_decode_samples(<const uint8_t *>PyBytes_AS_STRING(payload), <int16_t *>PyBytes_AS_STRING(pcm), samples)
    return pcm
