"""Layout of parsed packets, and the parser that works on any memory."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t


cdef enum ParseResult:
    PARSE_OK
    PARSE_TOO_SHORT
    PARSE_WRONG_VERSION
    PARSE_RTCP
    PARSE_CSRCS_CUT
    PARSE_EXTENSION_CUT
    PARSE_BAD_PADDING


cdef struct RtpView:
    uint32_t timestamp
    uint32_t ssrc
    uint16_t sequence
    uint8_t payload_type
    bint marker
    Py_ssize_t payload_start
    Py_ssize_t payload_size


cdef class RtpPacket:
    cdef readonly unsigned int payload_type
    cdef readonly bint marker
    cdef readonly unsigned int sequence
    cdef readonly unsigned int timestamp
    cdef readonly unsigned int ssrc
    cdef readonly bytes payload


cdef class TelephoneEvent:
    cdef readonly unsigned int event
    cdef readonly bint end
    cdef readonly unsigned int volume
    cdef readonly unsigned int duration


cdef ParseResult view_rtp(const uint8_t *octets, Py_ssize_t size, RtpView *view) noexcept nogil
cdef void write_rtp_header(
    uint8_t *octets, uint8_t payload_type, bint marker, uint16_t sequence, uint32_t timestamp, uint32_t ssrc
) noexcept nogil
