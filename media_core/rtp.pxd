"""Packets as Python sees them, and the parser that works on any memory; native/rtp.h says more."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t


cdef extern from "native/rtp.h" nogil:
    enum:
        PM_RTP_HEADER_SIZE
        PM_EVENT_SIZE

    ctypedef enum pm_rtp_result:
        PM_RTP_OK
        PM_RTP_TOO_SHORT
        PM_RTP_WRONG_VERSION
        PM_RTP_IS_RTCP
        PM_RTP_CSRCS_CUT
        PM_RTP_EXTENSION_CUT
        PM_RTP_BAD_PADDING

    ctypedef struct pm_rtp:
        uint32_t timestamp
        uint32_t ssrc
        uint16_t sequence
        uint8_t payload_type
        bint marker
        const uint8_t *payload
        size_t payload_size

    ctypedef struct pm_event:
        uint8_t event
        bint end
        uint8_t volume
        uint16_t duration

    pm_rtp_result pm_rtp_parse(const uint8_t *octets, size_t size, pm_rtp *view)
    const char *pm_rtp_reason(pm_rtp_result result)
    void pm_rtp_write_header(
        uint8_t *octets, uint8_t payload_type, bint marker, uint16_t sequence, uint32_t timestamp, uint32_t ssrc
    )
    bint pm_event_parse(const uint8_t *payload, size_t size, pm_event *report)


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
