import numpy as np
import pytest

from tests.support.phone_codec import ALAW, ULAW, PhoneCodec

EVERY_OCTET = bytes(range(256))


@pytest.mark.parametrize("codec", [ULAW, ALAW], ids=["ulaw", "alaw"])
def test_every_level_survives_decoding_and_encoding(codec: PhoneCodec) -> None:
    pcm = codec.decode(EVERY_OCTET)
    assert codec.decode(codec.encode(pcm)) == pcm


@pytest.mark.parametrize("codec", [ULAW, ALAW], ids=["ulaw", "alaw"])
def test_every_sample_becomes_the_nearest_level(codec: PhoneCodec) -> None:
    samples = np.arange(-32768, 32768, dtype="<i2")
    decoded = np.frombuffer(codec.decode(codec.encode(samples.tobytes())), dtype="<i2").astype(int)
    nearest = np.min(np.abs(codec.levels.astype(int)[None, :] - samples.astype(int)[::97, None]), axis=1)
    assert np.array_equal(np.abs(decoded - samples)[::97], nearest)


def test_known_values_of_the_recommendation() -> None:
    assert ULAW.decode(b"\xff\x7f\x80\x00") == np.array([0, 0, 32124, -32124], dtype="<i2").tobytes()
    assert ALAW.decode(b"\xd5\x55\xaa\x2a") == np.array([8, -8, 32256, -32256], dtype="<i2").tobytes()
    assert ULAW.encode(bytes(2)) in (b"\xff", b"\x7f")
