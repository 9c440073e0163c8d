"""RTP packets (RFC 3550) and the telephone events they carry (RFC 4733): bytes in, bytes out."""

from typing import final

RTP_HEADER_SIZE: int
"""Octets of a header without CSRCs and extension: 12."""

@final
class RtpPacket:
    """One parsed RTP packet."""

    @property
    def payload_type(self) -> int:
        """0 to 127."""

    @property
    def marker(self) -> bool: ...
    @property
    def sequence(self) -> int:
        """16 bits, wraps."""

    @property
    def timestamp(self) -> int:
        """32 bits, wraps; in units of the payload's RTP clock."""

    @property
    def ssrc(self) -> int:
        """32 bits."""

    @property
    def payload(self) -> bytes:
        """Without CSRCs, header extension and padding; may be empty."""

@final
class TelephoneEvent:
    """One report on a key (RFC 4733 §2.3): a key press is sent as several of them with the same timestamp."""

    @property
    def event(self) -> int:
        """Event code: 0 to 15 are the keys, 16 is a hook flash."""

    @property
    def digit(self) -> str:
        """`0`–`9`, `*`, `#`, `A`–`D`; empty for any other event."""

    @property
    def end(self) -> bool:
        """The key is up: this report is the last (sent three times)."""

    @property
    def volume(self) -> int:
        """Level of the tone as attenuation: 0 to 63 stand for 0 to -63 dBm0."""

    @property
    def duration(self) -> int:
        """How long so far, in units of the RTP clock; 16 bits."""

def parse_rtp(datagram: bytes) -> RtpPacket:
    """Parse one RTP packet.

    Raises PacketError if the datagram is not RTP version 2, is RTCP (RFC 5761 §4), or is shorter than its CSRC
    count, extension or padding say.
    """

def build_rtp(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, marker: bool = False
) -> bytes:
    """Build one RTP packet without CSRCs, extension and padding.

    sequence, timestamp and ssrc are taken modulo their size, so a running count may be given.
    Raises PacketError if payload_type is not 0 to 127.
    """

def parse_telephone_event(payload: bytes) -> TelephoneEvent:
    """Parse the first report in a telephone-event payload.

    Raises PacketError if the payload is shorter than four octets.
    """

def build_telephone_event(digit: str, duration: int, end: bool = False, volume: int = 10) -> bytes:
    """Build a telephone-event payload for a key.

    duration: in units of the RTP clock, 0 to 65535. volume: attenuation in dB, 0 to 63.
    Raises PacketError if digit is not one of `0`–`9`, `*`, `#`, `A`–`D` or a number is out of range.
    """
