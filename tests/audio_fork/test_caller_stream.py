from __future__ import annotations

import struct

import pytest

from audio_fork.caller_stream import FrameReceiver
from audio_fork.codecs import Codec, websocket_codec
from media_core.pcm import level_dbfs

FRAME = 160


def frame(value: int, samples: int = FRAME) -> bytes:
    return struct.pack("<h", value) * samples


def first_sample(pcm: bytes) -> int:
    sample: int = struct.unpack_from("<h", pcm)[0]
    return sample


class Line:
    """Passes frame times for a receiver of 8 kHz linear audio."""

    def __init__(self) -> None:
        self.receiver = FrameReceiver(websocket_codec("slin"))
        self.now = 0

    def pass_frame(self, *payloads: bytes) -> bytes:
        """Let these pieces come in, then take the frame that is due."""
        for payload in payloads:
            self.receiver.take(payload, self.now)
        self.now += FRAME
        return self.receiver.next_frame()


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_steady_stream_comes_out_without_delay(line: Line) -> None:
    values = [1000 * n for n in range(1, 20)]
    assert [first_sample(line.pass_frame(frame(value))) for value in values] == values
    assert (line.receiver.received, line.receiver.lost, line.receiver.concealed) == (19, 0, 0)


def test_after_a_pause_of_the_callers_the_next_word_comes_at_once(line: Line) -> None:
    for _ in range(20):
        line.pass_frame(frame(1000))
    for _ in range(100):
        line.pass_frame()
    assert first_sample(line.pass_frame(frame(2000))) != 0
    assert [first_sample(line.pass_frame(frame(3000))) for _ in range(5)] == [3000] * 5
    assert line.receiver.discarded == 0


def test_pieces_of_any_length_come_out_as_frames(line: Line) -> None:
    heard = b"".join(line.pass_frame(frame(1000, 2 * FRAME) if n % 2 == 0 else b"") for n in range(20))
    assert heard == frame(1000, 20 * FRAME)


def test_a_burst_after_a_stall_of_the_network_is_brought_down_to_a_short_delay(line: Line) -> None:
    for _ in range(50):
        line.pass_frame(frame(1000))
    for _ in range(50):
        line.pass_frame()
    line.pass_frame(*[frame(1000)] * 50)
    line.pass_frame(frame(9000))
    delay = next(n for n in range(50) if first_sample(line.pass_frame(frame(9000))) == 9000)
    assert delay <= 10, "more than 200 ms behind"
    assert line.receiver.discarded >= 40


def test_what_is_no_audio_is_counted_and_left_out(line: Line) -> None:
    line.pass_frame(frame(1000))
    line.receiver.take(b"\1\2\3", line.now)
    line.receiver.take(bytes(2 * 8001), line.now)
    assert first_sample(line.pass_frame(frame(1000))) == 1000
    assert line.receiver.garbage == 2


@pytest.mark.parametrize("codec", [websocket_codec(name) for name in ("slin", "slin16", "ulaw", "alaw")])
def test_every_codec_of_a_connection_is_decoded_to_frames_of_20_ms(codec: Codec) -> None:
    receiver = FrameReceiver(codec)
    payload = codec.new_encoder()(frame(8000, codec.frame_samples))
    assert len(payload) == codec.frame_octets
    receiver.take(payload, 0)
    heard = receiver.next_frame()
    assert len(heard) == codec.frame_samples * 2
    assert level_dbfs(heard) == pytest.approx(level_dbfs(frame(8000)), abs=0.3)
