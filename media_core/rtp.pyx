"""RTP packets (RFC 3550) and the telephone events they carry (RFC 4733): bytes in, bytes out.

Called by audio_fork for each datagram. The sender is not trusted: every length is checked before it is used.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from media_core.errors import PacketError

cdef enum:
    HEADER_SIZE = 12
    EVENT_SIZE = 4
    VERSION_BITS = 0x80
    # Second octet of RTCP, its packet type; RTP stays clear of it by not using payload types 64 to 95 (RFC 5761 §4).
    RTCP_FIRST = 192
    RTCP_LAST = 223

RTP_HEADER_SIZE = HEADER_SIZE

cdef str DIGITS = "0123456789*#ABCD"

cdef dict REASONS = {
    PARSE_TOO_SHORT: "shorter than an RTP header",
    PARSE_WRONG_VERSION: "not RTP version 2",
    PARSE_RTCP: "an RTCP packet, not RTP",
    PARSE_CSRCS_CUT: "shorter than its CSRC count says",
    PARSE_EXTENSION_CUT: "shorter than its header extension says",
    PARSE_BAD_PADDING: "padding longer than its payload, or of no octets",
}


@cython.final
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


cdef uint16_t read_16(const uint8_t *octets) noexcept nogil:
    return <uint16_t>((octets[0] << 8) | octets[1])


cdef uint32_t read_32(const uint8_t *octets) noexcept nogil:
    return (<uint32_t>octets[0] << 24) | (<uint32_t>octets[1] << 16) | (<uint32_t>octets[2] << 8) | octets[3]


cdef void write_16(uint8_t *octets, uint16_t value) noexcept nogil:
    octets[0] = <uint8_t>(value >> 8)
    octets[1] = <uint8_t>(value & 0xFF)


cdef void write_32(uint8_t *octets, uint32_t value) noexcept nogil:
    write_16(octets, <uint16_t>(value >> 16))
    write_16(octets + 2, <uint16_t>(value & 0xFFFF))


cdef ParseResult view_rtp(const uint8_t *octets, Py_ssize_t size, RtpView *view) noexcept nogil:
    """Find the parts of a packet (RFC 3550 §5.1) without copying; `view` is whole only for PARSE_OK."""
    cdef Py_ssize_t start = HEADER_SIZE
    cdef Py_ssize_t end = size
    if size < HEADER_SIZE:
        return PARSE_TOO_SHORT
    if octets[0] & 0xC0 != VERSION_BITS:
        return PARSE_WRONG_VERSION
    if RTCP_FIRST <= octets[1] <= RTCP_LAST:
        return PARSE_RTCP
    start += 4 * (octets[0] & 0x0F)
    if start > size:
        return PARSE_CSRCS_CUT
    if octets[0] & 0x10:
        if start + 4 > size:
            return PARSE_EXTENSION_CUT
        start += 4 + 4 * <Py_ssize_t>read_16(octets + start + 2)
        if start > size:
            return PARSE_EXTENSION_CUT
    if octets[0] & 0x20:
        if start == size or octets[size - 1] == 0 or octets[size - 1] > size - start:
            return PARSE_BAD_PADDING
        end -= octets[size - 1]
    view.payload_type = octets[1] & 0x7F
    view.marker = octets[1] & 0x80 != 0
    view.sequence = read_16(octets + 2)
    view.timestamp = read_32(octets + 4)
    view.ssrc = read_32(octets + 8)
    view.payload_start = start
    view.payload_size = end - start
    return PARSE_OK


cdef void write_rtp_header(
    uint8_t *octets, uint8_t payload_type, bint marker, uint16_t sequence, uint32_t timestamp, uint32_t ssrc
) noexcept nogil:
    """Write HEADER_SIZE octets."""
    octets[0] = VERSION_BITS
    octets[1] = payload_type | (0x80 if marker else 0)
    write_16(octets + 2, sequence)
    write_32(octets + 4, timestamp)
    write_32(octets + 8, ssrc)


def parse_rtp(bytes datagram not None):
    """Parse one RTP packet.

    Raises PacketError if the datagram is not RTP version 2, is RTCP (RFC 5761 §4), or is shorter than its CSRC
    count, extension or padding say.
    """
    cdef RtpView view
    cdef const char *octets = PyBytes_AS_STRING(datagram)
    cdef ParseResult result = view_rtp(<const uint8_t *>octets, PyBytes_GET_SIZE(datagram), &view)
    if result != PARSE_OK:
        raise PacketError(REASONS[result])
    cdef RtpPacket packet = RtpPacket.__new__(RtpPacket)
    packet.payload_type = view.payload_type
    packet.marker = view.marker
    packet.sequence = view.sequence
    packet.timestamp = view.timestamp
    packet.ssrc = view.ssrc
    packet.payload = PyBytes_FromStringAndSize(octets + view.payload_start, view.payload_size)
    return packet


def build_rtp(int payload_type, sequence, timestamp, ssrc, bytes payload not None, bint marker=False):
    """Build one RTP packet without CSRCs, extension and padding.

    sequence, timestamp and ssrc are taken modulo their size, so a running count may be given.
    Raises PacketError if payload_type is not 0 to 127.
    """
    if not 0 <= payload_type <= 127:
        raise PacketError(f"payload type {payload_type} is not 0 to 127")
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    cdef bytes datagram = PyBytes_FromStringAndSize(NULL, HEADER_SIZE + size)
    cdef char *octets = PyBytes_AS_STRING(datagram)
    write_rtp_header(
        <uint8_t *>octets,
        <uint8_t>payload_type,
        marker,
        <uint16_t>(sequence & 0xFFFF),
        <uint32_t>(timestamp & 0xFFFFFFFF),
        <uint32_t>(ssrc & 0xFFFFFFFF),
    )
    memcpy(octets + HEADER_SIZE, PyBytes_AS_STRING(payload), size)
    return datagram


def parse_telephone_event(bytes payload not None):
    """Parse the first report in a telephone-event payload.

    Raises PacketError if the payload is shorter than four octets.
    """
    if PyBytes_GET_SIZE(payload) < EVENT_SIZE:
        raise PacketError("shorter than a telephone event")
    cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(payload)
    cdef TelephoneEvent report = TelephoneEvent.__new__(TelephoneEvent)
    report.event = octets[0]
    report.end = octets[1] & 0x80 != 0
    report.volume = octets[1] & 0x3F
    report.duration = read_16(octets + 2)
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
