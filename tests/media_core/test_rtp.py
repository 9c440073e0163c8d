"""RTP and telephone events against a second parser, and against arbitrary octets."""

import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from media_core import (
    RTP_HEADER_SIZE,
    PacketError,
    RtpPacket,
    TelephoneEvent,
    build_rtp,
    build_telephone_event,
    parse_rtp,
    parse_telephone_event,
)
from tests.media_core import reference


@st.composite
def plausible_datagrams(draw: st.DrawFn) -> bytes:
    """Make packets whose flags, counts and lengths are often right and often just not."""
    first = draw(st.sampled_from([0x80, 0x90, 0xA0, 0xB0, 0x81, 0x83, 0x8F, 0xBF, 0x40, 0xC0]))
    second = draw(st.integers(0, 255))
    header = bytes([first, second]) + draw(st.binary(min_size=10, max_size=10))
    csrcs = draw(st.binary(min_size=4 * (first & 15), max_size=4 * (first & 15)))
    words = draw(st.integers(0, 4))
    extension = b"\xbe\xde" + struct.pack("!H", words) + bytes(4 * words) if first & 0x10 else b""
    payload = draw(st.binary(max_size=40))
    padding = draw(st.integers(0, 60))
    whole = header + csrcs + extension + payload + (bytes([padding]) if first & 0x20 else b"")
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole


@settings(max_examples=400)
@given(st.one_of(st.binary(max_size=60), plausible_datagrams()))
@example(b"")
@example(b"\xa0\x00" + bytes(10))
@example(b"\xa0\x00" + bytes(10) + b"\x01")
@example(b"\x90\x00" + bytes(10) + b"\xbe\xde\xff\xff")
@example(b"\x90\x00" + bytes(10) + b"\xbe\xde\x00")
@example(b"\x8f\x00" + bytes(10) + bytes(59))
def test_any_datagram_is_parsed_as_the_reference_does_or_refused(datagram: bytes) -> None:
    expected = reference.parse_rtp(datagram)
    if expected is None:
        with pytest.raises(PacketError):
            parse_rtp(datagram)
        return
    packet = parse_rtp(datagram)
    found = (packet.payload_type, packet.marker, packet.sequence, packet.timestamp, packet.ssrc, packet.payload)
    assert reference.Rtp(*found) == expected


@given(st.integers(0, 127), st.booleans(), st.tuples(*[st.integers(0, 2**40)] * 3), st.binary(max_size=200))
def test_what_is_built_is_parsed_back(
    payload_type: int, marker: bool, numbers: tuple[int, int, int], payload: bytes
) -> None:
    sequence, timestamp, ssrc = numbers
    datagram = build_rtp(payload_type, sequence, timestamp, ssrc, payload, marker)
    assert len(datagram) == RTP_HEADER_SIZE + len(payload)
    if marker and 64 <= payload_type <= 95:
        # RFC 5761 §4 gives these to RTCP.
        with pytest.raises(PacketError):
            parse_rtp(datagram)
        return
    packet = parse_rtp(datagram)
    assert (packet.payload_type, packet.marker, packet.payload) == (payload_type, marker, payload)
    assert (packet.sequence, packet.timestamp, packet.ssrc) == (sequence % 2**16, timestamp % 2**32, ssrc % 2**32)


def test_a_packet_has_the_octets_of_rfc_3550() -> None:
    datagram = build_rtp(8, 0x1234, 0x56789ABC, 0xDEADBEEF, b"xyz", marker=True)
    assert datagram == bytes.fromhex("80 88 1234 56789abc deadbeef") + b"xyz"


def test_csrcs_extension_and_padding_are_not_part_of_the_payload() -> None:
    datagram = (
        bytes.fromhex("b2 00 0001 00000002 00000003")
        + b"csrccsrc"
        + bytes.fromhex("bede 0001")
        + b"extn"
        + b"payload"
        + b"\x00\x00\x03"
    )
    assert parse_rtp(datagram).payload == b"payload"


@pytest.mark.parametrize("packet_type", [192, 200, 201, 204, 223])
def test_rtcp_on_the_same_port_is_not_taken_for_audio(packet_type: int) -> None:
    with pytest.raises(PacketError, match="RTCP"):
        parse_rtp(bytes([0x80, packet_type]) + bytes(26))


@pytest.mark.parametrize("payload_type", [-1, 128, 1000])
def test_payload_types_of_more_than_seven_bits_are_refused(payload_type: int) -> None:
    with pytest.raises(PacketError):
        build_rtp(payload_type, 0, 0, 0, b"")


@given(st.sampled_from("0123456789*#ABCD"), st.integers(0, 0xFFFF), st.booleans(), st.integers(0, 63))
def test_every_key_is_parsed_back(digit: str, duration: int, end: bool, volume: int) -> None:
    report = parse_telephone_event(build_telephone_event(digit, duration, end, volume))
    assert (report.digit, report.duration, report.end, report.volume) == (digit, duration, end, volume)


def test_a_telephone_event_has_the_octets_of_rfc_4733() -> None:
    assert build_telephone_event("#", 1600, end=True, volume=10) == bytes.fromhex("0b 8a 0640")
    report = parse_telephone_event(bytes.fromhex("0b 4a 0640"))
    assert (report.event, report.digit, report.end, report.volume, report.duration) == (11, "#", False, 10, 1600)


def test_an_event_that_is_no_key_has_no_digit() -> None:
    report = parse_telephone_event(bytes.fromhex("10 0a 00a0"))
    assert (report.event, report.digit) == (16, "")


@given(st.binary(max_size=12))
def test_any_telephone_event_payload_is_parsed_or_refused(payload: bytes) -> None:
    if len(payload) < 4:
        with pytest.raises(PacketError):
            parse_telephone_event(payload)
        return
    report = parse_telephone_event(payload)
    assert report.event == payload[0]
    assert report.duration == int.from_bytes(payload[2:4], "big")


@pytest.mark.parametrize(
    ("digit", "duration", "volume"),
    [("", 0, 0), ("12", 0, 0), ("a", 0, 0), ("1", -1, 0), ("1", 0x10000, 0), ("1", 0, 64), ("1", 0, -1)],
)
def test_events_that_cannot_be_sent_are_refused(digit: str, duration: int, volume: int) -> None:
    with pytest.raises(PacketError):
        build_telephone_event(digit, duration, volume=volume)


@pytest.mark.parametrize("packet", [RtpPacket, TelephoneEvent])
def test_packets_are_made_by_parsing_only(packet: type[RtpPacket] | type[TelephoneEvent]) -> None:
    with pytest.raises(TypeError):
        packet()
