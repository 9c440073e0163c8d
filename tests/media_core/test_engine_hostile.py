"""Datagrams that nobody sane sends: none does harm, all are counted, the next good packet is heard."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media_core.rtp import build_rtp
from tests.media_core.engine_call import Bench, square

GOOD = build_rtp(0, 1, 160, 7, bytes(160))
HOSTILE = {
    "nothing": b"",
    "one octet": b"\x80",
    "a cut header": GOOD[:11],
    "no payload": GOOD[:12],
    "version 0": b"\x00" + GOOD[1:],
    "version 3": b"\xc0" + GOOD[1:],
    "15 CSRCs that are not there": b"\x8f" + GOOD[1:12],
    "CSRCs and nothing else": b"\x8f" + GOOD[1:12] + bytes(60),
    "an extension cut in its header": b"\x90" + GOOD[1:12] + b"\xbe\xde\x00",
    "an extension of 65535 words": b"\x90" + GOOD[1:12] + b"\xbe\xde\xff\xff" + bytes(100),
    "padding of 0": b"\xa0" + GOOD[1:12] + bytes(160),
    "padding longer than the packet": b"\xa0" + GOOD[1:12] + bytes(9) + b"\xff",
    "padding and no payload": b"\xa0" + GOOD[1:12],
    "everything at once": b"\xbf" + GOOD[1:12] + bytes(60) + b"\xbe\xde\xff\xff\xff",
    "half a sample more than a second": build_rtp(0, 1, 160, 7, bytes(1800)),
    "more than a datagram may be": GOOD + bytes(3000),
    "64 kB": GOOD + bytes(60000),
    "RTCP of no length": b"\x80\xc8\x00\x00",
    "RTCP that is longer than it is": b"\x80\xc8\xff\xff" + bytes(24),
    "RTCP with 31 blocks that are not there": b"\x9f\xc9\x00\x01" + bytes(4),
    "STUN": b"\x00\x01\x00\x08\x21\x12\xa4\x42" + bytes(20),
    "SIP": b"OPTIONS sip:x SIP/2.0\r\n\r\n",
    "a telephone event of 3 octets": build_rtp(101, 1, 160, 7, b"\x01\x02\x03"),
    "a telephone event that is no key": build_rtp(101, 1, 160, 7, b"\xff\x8a\x00\xa0"),
}


@pytest.mark.parametrize("codec", ["ulaw", "slin", "g722"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_datagram_is_survived_and_the_next_packet_is_heard(bench: Bench, name: str, codec: str) -> None:
    session, phone = bench.call(codec, event_payload_type=101)
    other, other_phone = bench.call("ulaw")
    for _ in range(3):
        for _ in range(5):
            phone.send(HOSTILE[name], bench.address)
        bench.pass_frames()
    for _ in range(10):
        phone.say(square(20, session.rate_hz), bench.address)
        other_phone.say(square(20), bench.address)
        bench.pass_frames()
    assert session.stats().received >= 10
    assert session.stats().sent == 13
    assert (other.stats().received, other.stats().garbage) == (10, 0)
    assert bench.engine.stats().received == 35


def test_octets_of_every_kind_are_survived(bench: Bench) -> None:
    session, phone = bench.call("ulaw", event_payload_type=101, dtmf=True, tones=True, callee=True)
    chance = random.Random(7)
    for _ in range(300):
        for _ in range(20):
            octets = bytearray(GOOD if chance.random() < 0.8 else chance.randbytes(chance.randrange(300)))
            for _ in range(chance.randrange(1, 8)):
                if octets:
                    octets[chance.randrange(min(len(octets), 16))] = chance.randrange(256)
            phone.send(bytes(octets[: chance.randrange(1, 200)]), bench.address)
        bench.pass_frames()
    stats = session.stats()
    assert stats.sent == 300
    assert stats.garbage > 0
    assert stats.received + stats.garbage <= 6000 + stats.garbage


fields = st.fixed_dictionaries(
    {
        "payload_type": st.sampled_from([0, 0, 0, 13, 101]),
        "sequence": st.one_of(st.integers(0, 40), st.integers(0, 65535)),
        "timestamp": st.one_of(st.integers(0, 40).map(lambda n: n * 160), st.integers(0, 2**32 - 1)),
        "ssrc": st.sampled_from([1, 1, 1, 2]),
        "payload": st.sampled_from([160, 160, 80, 320, 0, 1, 799, 801, 1400]).map(lambda n: bytes([17]) * n),
    }
)


@settings(max_examples=60)
@given(st.lists(st.lists(fields, max_size=6), max_size=25))
def test_any_stream_of_packets_leaves_the_clock_and_the_other_direction_as_they_are(
    beats: list[list[dict[str, Any]]],
) -> None:
    bench = Bench()
    try:
        session, phone = bench.call("ulaw")
        for packets in beats:
            for packet in packets:
                phone.send(build_rtp(**packet), bench.address)
            bench.pass_frames()
        stats = session.stats()
        assert stats.sent == len(beats)
        assert session.position == max(0, len(beats) - 1) * 160
        assert 0 <= stats.jitter_depth_ms <= 320
        assert len(phone.collect()) == len(beats)
    finally:
        bench.close()


def test_a_flood_is_taken_in_portions_and_other_calls_keep_time(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    flooder, flooding = bench.call("ulaw")
    for _ in range(2):
        for _ in range(400):
            flooding.send(b"noise", bench.address)
        phone.say(square(20), bench.address)
        bench.pass_frames()
    # 256 and one per call of its capacity with each slot.
    assert bench.engine.stats().received == 2 * 260
    bench.pass_frames(2)
    assert (session.stats().received, session.stats().garbage) == (2, 0)
    assert flooder.stats().garbage == 800
    assert session.stats().sent == flooder.stats().sent == 4


def test_a_reordered_flood_of_streams_restarts_and_never_mixes(bench: Bench) -> None:
    session, phone = bench.call("slin")
    for number in range(100):
        phone.ssrc = number % 3
        phone.say(struct.pack("<h", 100 * (number % 3)) * 160, bench.address)
        bench.pass_frames()
    assert session.stats().restarts == 99


def test_reports_of_the_peer_are_counted(bench: Bench) -> None:
    session, phone = bench.call("ulaw")
    block = struct.pack(">IBBHIIII", 0xABCD, 64, 0, 5, 1000, 80, 0, 0)
    receiver_report = struct.pack(">BBHI", 0x81, 201, 7, 0x1234) + block
    sender_report = struct.pack(">BBHIQIII", 0x81, 200, 12, 0x1234, 0, 0, 9, 9) + block
    phone.send(receiver_report, bench.address)
    phone.send(sender_report, bench.address)
    bench.pass_frames(2)
    stats = session.stats()
    assert (stats.rtcp_reports, stats.rtcp_fraction_lost, stats.rtcp_jitter_ms) == (2, 0.25, 10.0)
    assert (stats.garbage, stats.received) == (0, 0)


def test_packets_that_the_system_refuses_are_counted_and_the_call_goes_on() -> None:
    bench = Bench()
    try:
        session = bench.engine.open("ulaw")
        session.connect("::1", 4000)  # not reachable from a socket of IPv4
        good, phone = bench.call("ulaw")
        bench.pass_frames(5)
        assert (session.stats().sent, session.stats().unsent) == (1, 4)  # as of the last beat
        assert bench.engine.stats().unsent == 5
        assert (good.stats().sent, good.stats().unsent) == (5, 0)
        assert len(phone.collect()) == 5
    finally:
        bench.close()
