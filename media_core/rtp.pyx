# distutils: sources = media_core/native/rtp.c
"""RTP packets (RFC 3550) and the telephone events they carry (RFC 4733): bytes in, bytes out.

For phones and tests; the media engine has the same inside.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from media_core.errors import PacketError

RTP_HEADER_SIZE = PM_RTP_HEADER_SIZE

cdef str DIGITS = "0123456789*#ABCD"


@cython.final
@cython.freelist(16)
cdef class RtpPacket:
    """One parsed RTP packet."""

    def __init__(self):
        raise TypeError("RtpPacket is made by parse_rtp()")

    def __repr__(self):
        return (
            f"RtpPacket(payload_type={self.payload_type}, marker={self.marker}, sequence={self.sequence}, "
            f"timestamp={self.timestamp}, ssrc={self.ssrc:#010x}, payload of {len(self.payload)} octets)"
        )


@cython.final
cdef class TelephoneEvent:
    """One report on a key (RFC 4733 §2.3): a key press is sent as several of them with the same timestamp."""

    def __init__(self):
        raise TypeError("TelephoneEvent is made by parse_telephone_event()")

    @property
    def digit(self):
        """`0`–`9`, `*`, `#`, `A`–`D`; empty for any other event."""
        return DIGITS[self.event] if self.event < 16 else ""

    def __repr__(self):
        return f"TelephoneEvent(event={self.event}, end={self.end}, volume={self.volume}, duration={self.duration})"


def parse_rtp(bytes datagram not None):
    """Parse one RTP packet.

    Raises PacketError if the datagram is not RTP version 2, is RTCP (RFC 5761 §4), or is shorter than its CSRC
    count, extension or padding say.
    """
    cdef pm_rtp view
    cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(datagram)
    cdef pm_rtp_result result = pm_rtp_parse(octets, PyBytes_GET_SIZE(datagram), &view)
    if result != PM_RTP_OK:
        raise PacketError((<bytes>pm_rtp_reason(result)).decode())
    cdef RtpPacket packet = RtpPacket.__new__(RtpPacket)
    packet.payload_type = view.payload_type
    packet.marker = view.marker
    packet.sequence = view.sequence
    packet.timestamp = view.timestamp
    packet.ssrc = view.ssrc
    packet.payload = PyBytes_FromStringAndSize(<const char *>view.payload, view.payload_size)
    return packet


def build_rtp(int payload_type, sequence, timestamp, ssrc, bytes payload not None, bint marker=False):
    """Build one RTP packet without CSRCs, extension and padding.

    sequence, timestamp and ssrc are taken modulo their size, so a running count may be given.
    Raises PacketError if payload_type is not 0 to 127.
    """
    if not 0 <= payload_type <= 127:
        raise PacketError(f"payload type {payload_type} is not 0 to 127")
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    cdef bytes datagram = PyBytes_FromStringAndSize(NULL, PM_RTP_HEADER_SIZE + size)
    cdef char *octets = PyBytes_AS_STRING(datagram)
    pm_rtp_write_header(
        <uint8_t *>octets,
        <uint8_t>payload_type,
        marker,
        <uint16_t>(sequence & 0xFFFF),
        <uint32_t>(timestamp & 0xFFFFFFFF),
        <uint32_t>(ssrc & 0xFFFFFFFF),
    )
    memcpy(octets + PM_RTP_HEADER_SIZE, PyBytes_AS_STRING(payload), size)
    return datagram


def parse_telephone_event(bytes payload not None):
    """Parse the first report in a telephone-event payload.

    Raises PacketError if the payload is shorter than four octets.
    """
    cdef pm_event seen
    if not pm_event_parse(<const uint8_t *>PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), &seen):
        raise PacketError("shorter than a telephone event")
    cdef TelephoneEvent report = TelephoneEvent.__new__(TelephoneEvent)
    report.event = seen.event
    report.end = seen.end
    report.volume = seen.volume
    report.duration = seen.duration
    return report


def build_telephone_event(str digit not None, int duration, bint end=False, int volume=10):
    """Build a telephone-event payload for a key.

    duration: in units of the RTP clock, 0 to 65535. volume: attenuation in dB, 0 to 63.
    Raises PacketError if digit is not one of `0`–`9`, `*`, `#`, `A`–`D` or a number is out of range.
    """
    cdef Py_ssize_t event = DIGITS.find(digit) if len(digit) == 1 else -1
    if event < 0:
        raise PacketError(f"{digit!r} is not a key")
    if not 0 <= duration <= 0xFFFF:
        raise PacketError(f"duration {duration} is not 0 to 65535")
    if not 0 <= volume <= 63:
        raise PacketError(f"volume {volume} is not 0 to 63")
    return bytes((event, (0x80 if end else 0) | volume, duration >> 8, duration & 0xFF))
