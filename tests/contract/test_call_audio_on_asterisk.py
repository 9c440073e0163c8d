"""CallAudio through a real Asterisk over every transport, judged by what the caller's phone heard.

Both directions, `clear`, the count of samples, keys, peers that go, and strangers.
"""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import pytest

from audio_fork.audio_connection import AudioConnection
from audio_fork.audiosocket_server import AudioSocketServer
from media_core.events import DigitHeard, PeerGone
from media_core.rtp import build_rtp
from media_core.tones import ToneDetector, tone
from parley.app import audio_probe
from parley.app.audio_lines import AudioLine, AudioLines, AudioSocketLines, RtpLine, RtpLines, audio_lines
from parley.app.settings_tables import MediaSettings
from parley.call_control import (
    AudioCodec,
    DigitReceived,
    LegAnswered,
    LegEnded,
    LegGone,
    LegId,
    LegOffered,
    PbxRefused,
    RtpTarget,
    WebSocketPeer,
)
from tests.contract.asterisk_bench import AsteriskBench
from tests.contract.benches import EventLog, deaf, listening, until
from tests.support.asterisk import Asterisk
from tests.support.audiosocket import Kind, encode
from tests.support.hearing import frequency_hz, level_dbfs, silence_after, speech_segments
from tests.support.phone_call import PhoneCall
from tests.support.phone_codec import CODECS, ULAW, PhoneCodec
from tests.support.recording import tone as phone_tone
from tests.support.sip_phone import SipPhone

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

AGENT_HZ, CALLER_HZ = 600.0, 1000.0
CLEAR_MS = 40
"""From clear() to silence at the caller's phone."""
RAMP_MS = 5
"""Goes out after clear(), fading, and counts as played then."""
PATH_MS = 20
"""What one frame's length blurs at either end."""

G722 = PhoneCodec("G722", 9, ULAW.levels, ULAW.octets)
"""Only its name and number: what such a phone says and hears is not looked at."""
WAYS = (
    *("rtp ulaw", "rtp alaw", "rtp slin", "rtp g722"),
    *("websocket ulaw", "websocket alaw", "websocket slin", "websocket slin16"),
    *("audiosocket slin", "audiosocket slin16"),
)
BY_THE_LOOP = ("rtp ulaw loop", "websocket slin loop", "audiosocket slin loop")
"""The same media engine where no thread may run: the event loop steps it (`media.thread = false`)."""
every_way = pytest.mark.parametrize("way", [*WAYS, *BY_THE_LOOP])
every_transport = pytest.mark.parametrize("way", ["rtp ulaw", "websocket slin16", "audiosocket slin"])
connections = pytest.mark.parametrize("way", ["websocket slin", "audiosocket slin"])


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was answered, and both its ends."""

    phone: PhoneCall
    audio: AudioConnection
    leg_id: LegId
    log: EventLog
    lines: AudioLines
    line: AudioLine


LAST_WITH_COMPANDED_RTP_ONLY = 16


def lines_of(way: str) -> AbstractAsyncContextManager[AudioLines]:
    transport, codec, *loop = way.split()
    media = MediaSettings.model_validate({"transport": transport, "codec": codec, "thread": not loop})
    return audio_lines(media.model_copy(update={"audiosocket_port": 0}), None)


def require_way(bench: AsteriskBench, way: str) -> None:
    """Skip the calling test where this Asterisk has no such audio connection."""
    if bench.major <= LAST_WITH_COMPANDED_RTP_ONLY and not (way.startswith("rtp") and way != "rtp slin"):
        pytest.skip(f"Asterisk {bench.major} has no {way}")


@asynccontextmanager
async def call_over(bench: AsteriskBench, way: str) -> AsyncIterator[Call]:
    """Let a caller dial, connect the audio before the answer, answer."""
    require_way(bench, way)
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(listening(bench.control))
        lines = await stack.enter_async_context(lines_of(way))
        line = lines.open(wideband=False)
        stack.push_async_callback(line.audio.aclose)
        phone = bench.caller.dial("920")
        leg_id = (await log.next(LegOffered)).leg.id
        await bench.control.attach_audio(leg_id, line.target, line.connect)
        await bench.control.answer(leg_id)
        await log.next(LegAnswered)
        await phone.wait_answered()
        yield Call(phone, line.audio, leg_id, log, lines, line)


async def caller_heard_by(audio: AudioConnection, frequency: float, wanted_ms: int) -> int:
    """Listen until so much of this tone has come, for two seconds at most; return how many ms came."""
    detector = ToneDetector(audio.rate_hz, [frequency])
    blocks = 0
    try:
        async with asyncio.timeout(2):
            async for block in audio.blocks():
                blocks += sum(1 for tones in detector.feed(block.pcm) if tones)
                if blocks * 20 >= wanted_ms:
                    break
    except TimeoutError:
        pass
    return blocks * 20


@every_way
async def test_audio_flows_both_ways(bench: AsteriskBench, way: str) -> None:
    async with call_over(bench, way) as call:
        assert call.audio.rate_hz == (16000 if way.endswith(("slin16", "g722")) else 8000)
        call.audio.play(tone([AGENT_HZ], 600, call.audio.rate_hz))
        call.phone.play(phone_tone(CALLER_HZ, 1.0))
        assert await caller_heard_by(call.audio, CALLER_HZ, 600) >= 600
        [segment] = speech_segments(call.phone.heard)
        assert abs(segment.length_s - 0.6) < 0.05
        assert abs(frequency_hz(call.phone.heard.samples(segment.start_s, segment.end_s)) - AGENT_HZ) < 20


@every_way
async def test_clear_silences_the_phone_within_40_ms_and_played_samples_are_those_that_it_heard(
    bench: AsteriskBench, way: str
) -> None:
    async with call_over(bench, way) as call:
        call.audio.play(tone([AGENT_HZ], 5000, call.audio.rate_hz))
        await asyncio.sleep(0.7)
        cleared_s = time.monotonic()
        call.audio.clear()
        played_ms = [call.audio.played_samples * 1000 / call.audio.rate_hz + RAMP_MS]
        await asyncio.sleep(0.4)
        silent_s = silence_after(call.phone.heard, cleared_s - 0.1, least_ms=100)
        [segment] = speech_segments(call.phone.heard)
        played_ms.append(call.audio.played_samples * 1000 / call.audio.rate_hz)
    assert (silent_s - cleared_s) * 1000 <= CLEAR_MS
    assert played_ms == pytest.approx([segment.length_s * 1000] * 2, abs=PATH_MS)


@every_transport
async def test_sentence_after_sentence_is_heard_whole_and_counted(bench: AsteriskBench, way: str) -> None:
    async with call_over(bench, way) as call:
        marks = []
        for _ in range(3):
            marks.append(call.audio.play(tone([AGENT_HZ], 210, call.audio.rate_hz)))
            async with asyncio.timeout(2):
                while call.audio.played_samples < marks[-1]:
                    await asyncio.sleep(0.005)
            await asyncio.sleep(0.35)
        assert call.audio.played_samples == marks[-1]
        lengths = [segment.length_s for segment in speech_segments(call.phone.heard, join_ms=100)]
        assert lengths == pytest.approx([0.21] * 3, abs=0.03)
        assert call.audio.stats().underruns == 0


@every_transport
async def test_silence_goes_to_the_caller_while_nothing_is_played(bench: AsteriskBench, way: str) -> None:
    async with call_over(bench, way) as call:
        before = call.phone.media.packets_received
        await asyncio.sleep(0.5)
        assert call.phone.media.packets_received - before >= 20


@every_transport
async def test_the_pbx_tells_whether_it_passes_our_audio_on(bench: AsteriskBench, way: str) -> None:
    async with call_over(bench, way) as call:
        await asyncio.sleep(0.3)
        before = await bench.control.audio_sent(call.leg_id)
        await asyncio.sleep(0.3)
        after = await bench.control.audio_sent(call.leg_id)
        assert before is not None
        assert after is not None
        assert after > before
        await call.audio.aclose()
        await asyncio.sleep(0.3)
        ended = await bench.control.audio_sent(call.leg_id)
        await asyncio.sleep(0.3)
        assert await bench.control.audio_sent(call.leg_id) == ended


@every_transport
async def test_a_key_counts_once(bench: AsteriskBench, way: str) -> None:
    async with call_over(bench, way) as call:
        await call.phone.press("5", 80)
        assert (await call.log.next(DigitReceived)).digit == "5"
        await asyncio.sleep(0.3)
        await call.phone.hangup()
        await call.log.next(LegEnded)
        await call.audio.aclose()
        in_the_media = [event async for event in call.audio.events() if isinstance(event, DigitHeard)]
        by_the_pbx = call.log.about(call.leg_id, [DigitReceived])
    assert len(in_the_media) + len(by_the_pbx) == 1


@connections
async def test_a_media_leg_that_asterisk_ends_is_told_and_the_caller_stays(bench: AsteriskBench, way: str) -> None:
    async with call_over(bench, way) as call:
        [media_leg] = [channel for channel in await bench.channel_ids() if channel != call.leg_id]
        await bench.rest.hangup(media_leg)
        async with asyncio.timeout(2):
            events = [event async for event in call.audio.events()]
        assert isinstance(events[-1], PeerGone)
        assert not call.phone.is_ended
        assert [leg.id for leg in await bench.control.legs()] == [call.leg_id]


@connections
async def test_our_end_that_closes_takes_the_media_leg_away_and_the_caller_stays(
    bench: AsteriskBench, way: str
) -> None:
    async with call_over(bench, way) as call:
        await call.audio.aclose()

        async def only_the_leg() -> bool:
            return await bench.channel_ids() == [call.leg_id]

        assert await until(only_the_leg)
        assert not call.phone.is_ended


@every_transport
async def test_the_audio_can_be_attached_anew_while_the_caller_is_there(bench: AsteriskBench, way: str) -> None:
    async with call_over(bench, way) as call:
        again = call.lines.open(wideband=False)
        try:
            await bench.control.attach_audio(call.leg_id, again.target, again.connect)
            again.audio.play(tone([AGENT_HZ], 300, again.audio.rate_hz))
            call.phone.play(phone_tone(CALLER_HZ, 1.0))
            assert await caller_heard_by(again.audio, CALLER_HZ, 300) >= 300
            [segment] = speech_segments(call.phone.heard)
            assert segment.length_s == pytest.approx(0.3, abs=0.05)
        finally:
            await again.audio.aclose()


@pytest.mark.parametrize("after_ms", [0, 2, 4, 8])
@connections
async def test_caller_who_hangs_up_during_set_up_leaves_nothing(bench: AsteriskBench, way: str, after_ms: int) -> None:
    require_way(bench, way)
    async with lines_of(way) as lines, listening(bench.control) as log:
        line = lines.open(wideband=False)
        phone = bench.caller.dial("920")
        leg_id = (await log.next(LegOffered)).leg.id
        attaching = asyncio.create_task(bench.control.attach_audio(leg_id, line.target, line.connect))
        await asyncio.sleep(after_ms / 1000)
        await phone.hangup()
        assert (await log.next(LegEnded)).leg_id == leg_id
        [outcome] = await asyncio.gather(attaching, return_exceptions=True)
        assert outcome is None or isinstance(outcome, LegGone)
        await line.audio.aclose()
        assert await bench.nothing_is_left()


@pytest.mark.parametrize("way", ["websocket slin16", "audiosocket slin16"])
async def test_sound_beyond_the_telephone_band_passes_where_the_connection_is_wideband(
    bench: AsteriskBench, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Two lines in one bridge hear each other's high tones."""
    require_way(bench, way)
    monkeypatch.setattr(audio_probe, "TONES_HZ", (6000.0, 7000.0))
    events = await bench.rest.connect_events("parley-doctor")
    async with lines_of(way) as lines:
        trip = await audio_probe.probe_audio(bench.rest, "parley-doctor", lines)
    await events.close()
    assert trip.both_ways
    assert trip.codecs == ("slin16",)


@pytest.mark.parametrize(("codecs", "wideband"), [((G722,), True), ((ULAW, G722), False), ((ULAW,), False)])
async def test_leg_of_a_wideband_phone_is_told_as_such(
    asterisk: Asterisk,
    bench: AsteriskBench,
    monkeypatch: pytest.MonkeyPatch,
    codecs: tuple[PhoneCodec, ...],
    wideband: bool,
) -> None:
    monkeypatch.setitem(CODECS, G722.payload_type, G722)
    async with (
        listening(bench.control) as log,
        SipPhone("15550100", server=(asterisk.sip_host, asterisk.sip_port), codecs=codecs) as phone,
    ):
        phone.dial("920")
        assert (await log.next(LegOffered)).leg.wideband is wideband


async def loudest_of(audio: AudioConnection) -> float:
    """Listen for what has come so far; return its loudest block's level."""
    loudest = -120.0
    async with asyncio.timeout(2):
        async for block in audio.blocks():
            loudest = max(loudest, level_dbfs(block.pcm))
            if block.position > audio.position - audio.rate_hz // 10:
                break
    return loudest


async def test_linear_audio_is_refused_where_asterisk_would_make_mulaw_of_it(bench: AsteriskBench) -> None:
    if bench.major > LAST_WITH_COMPANDED_RTP_ONLY:
        pytest.skip(f"Asterisk {bench.major} has linear audio over RTP")
    async with listening(bench.control) as log:
        bench.caller.dial("920")
        leg_id = (await log.next(LegOffered)).leg.id
        with pytest.raises(PbxRefused, match='codec = "ulaw"'):
            await bench.control.attach_audio(leg_id, RtpTarget("127.0.0.1", 9, AudioCodec.SLIN), deaf)


async def test_strangers_packets_are_not_heard(bench: AsteriskBench) -> None:
    async with call_over(bench, "rtp ulaw") as call:
        assert isinstance(call.line, RtpLine)
        assert isinstance(call.lines, RtpLines)
        await asyncio.sleep(0.2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for number in range(40):
                packet = build_rtp(0, number, number * 160, 7, bytes([0x10, 0x90] * 80))
                stranger.sendto(packet, call.line.audio.local_address)
                await asyncio.sleep(0.005)
        assert await loudest_of(call.audio) < -60
        assert call.lines.engines[0].stats().strangers >= 40
        assert not call.phone.is_ended


async def test_strangers_connections_to_the_audiosocket_port_are_refused_and_the_call_goes_on(
    bench: AsteriskBench,
) -> None:
    async with call_over(bench, "audiosocket slin") as call:
        assert isinstance(call.lines, AudioSocketLines)
        server: AudioSocketServer = call.lines.server
        used = call.audio.connection_id  # type: ignore[attr-defined]
        loud = encode(Kind.SLIN, b"\x00\x40\x00\xc0" * 80) * 5
        for first in (
            encode(Kind.ID, uuid.UUID(used).bytes),
            encode(Kind.ID, uuid.uuid4().bytes),
            b"GET / HTTP/1.1\r\n\r\n",
            b"\xff" * 5000,
        ):
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(first + loud)
            async with asyncio.timeout(2):
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1)
            writer.close()
        assert sum(server.refused.values()) == 4
        assert await loudest_of(call.audio) < -60
        call.audio.play(tone([AGENT_HZ], 200, call.audio.rate_hz))
        await asyncio.sleep(0.4)
        assert speech_segments(call.phone.heard)


async def test_strangers_websockets_get_nothing_from_asterisk_and_the_call_goes_on(
    asterisk: Asterisk, bench: AsteriskBench
) -> None:
    peers: list[WebSocketPeer] = []
    async with call_over(bench, "websocket slin") as call:
        again = call.lines.open(wideband=False)

        async def connect(peer: object) -> None:
            assert isinstance(peer, WebSocketPeer)
            peers.append(peer)
            await again.connect(peer)

        await bench.control.attach_audio(call.leg_id, again.target, connect)
        used = urlsplit(peers[0].url).path.rpartition("/")[2]
        async with aiohttp.ClientSession() as stranger:
            for guess in (used, str(uuid.uuid4()), "", "../ari/events"):
                with pytest.raises(aiohttp.ClientError):
                    await stranger.ws_connect(f"{asterisk.ari_url}/media/{guess}", protocols=("media",))
        again.audio.play(tone([AGENT_HZ], 200, again.audio.rate_hz))
        await asyncio.sleep(0.4)
        assert speech_segments(call.phone.heard)
        await again.audio.aclose()
