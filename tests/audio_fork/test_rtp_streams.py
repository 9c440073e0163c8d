from __future__ import annotations

import struct

import pytest

from audio_fork.codecs import FRAME_TICKS, codec_named
from audio_fork.rtp_streams import RtpReceiver, RtpSender
from media_core.pcm import level_dbfs
from media_core.rtp import build_rtp, build_telephone_event, parse_rtp

SLIN = codec_named("slin")


def frame(value: int) -> bytes:
    return struct.pack("<h", value) * 160


def first_sample(pcm: bytes) -> int:
    sample: int = struct.unpack_from("<h", pcm)[0]
    return sample


class Peer:
    """Makes the peer's packets and lets one frame time pass for each."""

    def __init__(self, receiver: RtpReceiver, ssrc: int = 1, sequence: int = 100, timestamp: int = 5000) -> None:
        self._receiver = receiver
        self.ssrc = ssrc
        self.sequence = sequence
        self.timestamp = timestamp
        self.now = 0

    def packet(self, value: int) -> bytes:
        """Make the next packet: a frame of this value."""
        payload = struct.pack(">h", value) * 160
        packet = build_rtp(10, self.sequence, self.timestamp, self.ssrc, payload)
        self.sequence += 1
        self.timestamp += FRAME_TICKS
        return packet

    def pass_frame(self, *datagrams: bytes) -> bytes:
        """Let these datagrams come in, then take the frame that is due."""
        for datagram in datagrams:
            self._receiver.take(datagram, self.now)
        self.now += FRAME_TICKS
        return self._receiver.next_frame()


@pytest.fixture
def receiver() -> RtpReceiver:
    return RtpReceiver(SLIN)


@pytest.fixture
def peer(receiver: RtpReceiver) -> Peer:
    return Peer(receiver)


def test_a_steady_stream_comes_out_without_delay(peer: Peer, receiver: RtpReceiver) -> None:
    values = [1000 * n for n in range(1, 20)]
    assert [first_sample(peer.pass_frame(peer.packet(value))) for value in values] == values
    assert (receiver.received, receiver.lost, receiver.concealed) == (19, 0, 0)


def test_silence_before_the_first_packet_is_neither_lost_nor_concealed(peer: Peer, receiver: RtpReceiver) -> None:
    assert peer.pass_frame() == bytes(320)
    assert (receiver.lost, receiver.concealed) == (0, 0)


def test_a_lost_packet_is_counted_and_its_gap_filled_with_sound(peer: Peer, receiver: RtpReceiver) -> None:
    for _ in range(10):
        peer.pass_frame(peer.packet(9000))
    peer.packet(9000)
    filled = peer.pass_frame()
    assert level_dbfs(filled) > -30
    for _ in range(5):
        peer.pass_frame(peer.packet(9000))
    assert receiver.lost == 1
    assert receiver.concealed >= 1


def test_packets_out_of_order_within_one_frame_come_out_in_order(peer: Peer, receiver: RtpReceiver) -> None:
    peer.pass_frame(peer.packet(100))
    second, third = peer.packet(200), peer.packet(300)
    heard = [first_sample(peer.pass_frame(third, second)), first_sample(peer.pass_frame())]
    assert heard == [200, 300]
    assert receiver.lost == 0


def test_another_ssrc_from_the_peer_is_followed_at_once(peer: Peer, receiver: RtpReceiver) -> None:
    for _ in range(5):
        peer.pass_frame(peer.packet(100))
    peer.ssrc, peer.sequence, peer.timestamp = 99, 7, 123_456
    assert [first_sample(peer.pass_frame(peer.packet(700))) for _ in range(3)][-2:] == [700, 700]
    assert receiver.lost == 0


def test_a_sequence_that_starts_anew_is_followed_within_two_packets(peer: Peer, receiver: RtpReceiver) -> None:
    for _ in range(5):
        peer.pass_frame(peer.packet(100))
    peer.sequence, peer.timestamp = 40_000, 9_000_000
    heard = [first_sample(peer.pass_frame(peer.packet(700))) for _ in range(4)]
    assert heard[-2:] == [700, 700]


@pytest.mark.parametrize("datagram", [b"", b"x", bytes(200), b"\x80\xc8" + bytes(30)])
def test_what_is_not_rtp_is_counted_and_left_out(peer: Peer, receiver: RtpReceiver, datagram: bytes) -> None:
    peer.pass_frame(peer.packet(100))
    assert first_sample(peer.pass_frame(datagram, peer.packet(200))) == 200
    assert receiver.garbage == 1


def test_a_payload_of_half_a_sample_is_garbage(peer: Peer, receiver: RtpReceiver) -> None:
    peer.pass_frame(build_rtp(10, 1, 160, 1, b"\0" * 3))
    assert receiver.garbage == 1


def test_telephone_events_and_comfort_noise_are_counted_but_are_no_loss(peer: Peer, receiver: RtpReceiver) -> None:
    for _ in range(5):
        peer.pass_frame(peer.packet(100))
    event = build_telephone_event("5", 160)
    for payload_type, payload in ((101, event), (13, b"\x40")):
        peer.pass_frame(build_rtp(payload_type, peer.sequence, peer.timestamp, 1, payload))
        peer.sequence += 1
        peer.timestamp += FRAME_TICKS
    heard = [first_sample(peer.pass_frame(peer.packet(300))) for _ in range(3)]
    assert heard[-1] == 300
    assert receiver.unexpected == 2
    assert receiver.lost == 0


def test_our_packets_count_on_without_holes_and_mark_each_resumption() -> None:
    sender = RtpSender(codec_named("ulaw"))
    packets = [parse_rtp(sender.packet(frame(0))) for _ in range(3)]
    sender.pause()
    sender.pause()
    packets.append(parse_rtp(sender.packet(frame(0))))
    first = packets[0]
    assert [(packet.sequence - first.sequence) & 0xFFFF for packet in packets] == [0, 1, 2, 3]
    assert [(packet.timestamp - first.timestamp) & 0xFFFFFFFF for packet in packets] == [0, 160, 320, 800]
    assert [packet.marker for packet in packets] == [True, False, False, True]
    assert {packet.ssrc for packet in packets} == {first.ssrc}
    assert {(packet.payload_type, len(packet.payload)) for packet in packets} == {(0, 160)}


def test_every_stream_of_ours_begins_at_its_own_random_numbers() -> None:
    starts = {parse_rtp(RtpSender(SLIN).packet(frame(0))).ssrc for _ in range(20)}
    assert len(starts) == 20
