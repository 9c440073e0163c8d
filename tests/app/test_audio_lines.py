"""Lines of every transport, as the call runner opens them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from audio_fork.audiosocket_audio import AudioSocketAudio
from audio_fork.errors import NoFreePort, NoPeer, TooManyCalls
from media_core.events import PeerGone
from parley.app.audio_lines import AudioSocketLines, RtpLines, audio_lines
from parley.app.settings_tables import MediaSettings
from parley.call_control import (
    AudioCodec,
    AudioPeer,
    AudioSocketPeer,
    AudioSocketTarget,
    PbxRefused,
    RtpPeer,
    RtpTarget,
    WebSocketPeer,
    WebSocketTarget,
)
from parley.conversation.ports import CallAudio
from tests.audio_fork.connections import TcpPeer
from tests.support.audiosocket import Kind, encode


def media(**settings: Any) -> MediaSettings:
    return MediaSettings(**settings).model_copy(update={"audiosocket_port": 0})


async def test_rtp_lines_share_the_port_of_their_engine_and_tell_it() -> None:
    async with audio_lines(media(), None) as lines:
        first, second = lines.open(wideband=True), lines.open(wideband=False)
        assert isinstance(first.target, RtpTarget)
        assert first.target == second.target
        assert first.target.codec is AudioCodec.ULAW
        assert first.target.port in media().ports
        await first.connect(RtpPeer("127.0.0.1", 4000, AudioCodec.ULAW))
        for line in (first, second):
            await line.audio.aclose()


async def test_rtp_lines_have_a_port_each_where_that_is_set() -> None:
    async with audio_lines(media(port_per_call=True), None) as lines:
        first, second = lines.open(wideband=False), lines.open(wideband=False)
        assert isinstance(first.target, RtpTarget)
        assert isinstance(second.target, RtpTarget)
        assert first.target.port != second.target.port
        for line in (first, second):
            await line.audio.aclose()


@pytest.mark.parametrize("thread", [True, False])
async def test_calls_are_spread_over_the_engines_and_refused_beyond_their_capacity(thread: bool) -> None:
    async with audio_lines(media(engines=2, cores=(0,), thread=thread), None, calls=2) as lines:
        assert isinstance(lines, RtpLines)
        opened = [lines.open(wideband=False) for _ in range(4)]
        assert [engine.calls for engine in lines.engines] == [2, 2]
        assert len({line.target for line in opened}) == 2
        with pytest.raises(TooManyCalls):
            lines.open(wideband=False)
        await opened[0].audio.aclose()
        await lines.open(wideband=False).audio.aclose()
        for line in opened:
            await line.audio.aclose()


async def test_calls_that_are_left_when_the_lines_are_closed_are_told() -> None:
    async with audio_lines(media(), None) as lines:
        line = lines.open(wideband=False)
    assert [event async for event in line.audio.events()] == [PeerGone("the media engine has stopped")]
    await line.audio.aclose()


async def test_websocket_lines_take_the_callers_bandwidth_and_connect_where_the_pbx_waits() -> None:
    async with audio_lines(media(transport="websocket"), None) as lines:
        wide, narrow = lines.open(wideband=True), lines.open(wideband=False)
        assert (wide.target, narrow.target) == (WebSocketTarget(AudioCodec.SLIN16), WebSocketTarget(AudioCodec.SLIN))
        assert (wide.audio.rate_hz, narrow.audio.rate_hz) == (16000, 8000)
        with pytest.raises(NoPeer):
            await wide.connect(WebSocketPeer("ws://127.0.0.1:1/media/x", AudioCodec.SLIN16))
        for line in (wide, narrow):
            await line.audio.aclose()


async def test_audiosocket_lines_issue_an_id_each_and_wait_for_it() -> None:
    async with audio_lines(media(transport="audiosocket"), None) as lines:
        assert isinstance(lines, AudioSocketLines)
        line, other = lines.open(wideband=False), lines.open(wideband=True)
        assert isinstance(line.target, AudioSocketTarget)
        assert isinstance(other.target, AudioSocketTarget)
        assert (line.target.host, line.target.port) == lines.server.address
        assert line.target.connection_id != other.target.connection_id
        assert isinstance(line.audio, AudioSocketAudio)
        pbx = TcpPeer("slin")
        await pbx.connect(lines.server.address)
        pbx.send(encode(Kind.ID, uuid.UUID(line.target.connection_id).bytes))
        await line.connect(AudioSocketPeer(line.target.connection_id, AudioCodec.SLIN))
        for one in (line, other):
            await one.audio.aclose()
        pbx.close()


async def test_audiosocket_port_belongs_to_one_node_and_is_free_afterwards() -> None:
    async with audio_lines(media(transport="audiosocket"), None) as lines:
        assert isinstance(lines, AudioSocketLines)
        taken = MediaSettings(transport="audiosocket", audiosocket_port=lines.server.address[1])
        with pytest.raises(NoFreePort, match="audiosocket_port"):
            async with audio_lines(taken, None):
                pass
    async with audio_lines(taken, None):
        pass


@pytest.mark.parametrize("transport", ["rtp", "websocket", "audiosocket"])
async def test_pbx_that_answers_with_another_transport_is_refused(transport: str) -> None:
    peers: dict[str, AudioPeer] = {
        "rtp": WebSocketPeer("ws://127.0.0.1:1/media/x", AudioCodec.SLIN),
        "websocket": AudioSocketPeer("x", AudioCodec.SLIN),
        "audiosocket": RtpPeer("127.0.0.1", 4000, AudioCodec.ULAW),
    }
    async with audio_lines(media(transport=transport), None) as lines:
        line = lines.open(wideband=False)
        with pytest.raises(PbxRefused, match="answers"):
            await line.connect(peers[transport])
        audio: CallAudio = line.audio
        await audio.aclose()
