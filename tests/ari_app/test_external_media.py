"""What externalMedia is asked for, and what its answers mean."""

import pytest

from ari_app.external_media import connection_of, peer_of
from parley.call_control import PbxRefused, RtpTarget, WebSocketTarget


@pytest.mark.parametrize(
    ("target", "address"),
    [
        (RtpTarget("127.0.0.1", 4000), "127.0.0.1:4000"),
        (RtpTarget("::1", 4000), "[::1]:4000"),
        (RtpTarget("media-1.example", 65535), "media-1.example:65535"),
    ],
)
def test_audio_address_is_written_as_asterisk_reads_it(target: RtpTarget, address: str) -> None:
    assert connection_of(target) == {"external_host": address}


@pytest.mark.parametrize("target", [RtpTarget("127.0.0.1", 4000), WebSocketTarget()])
async def test_answer_that_names_no_end_is_refused(target: RtpTarget | WebSocketTarget) -> None:
    async def empty(name: str) -> str:
        return ""

    with pytest.raises(PbxRefused, match="does not say"):
        await peer_of(target, empty, str)
