"""RtpAudio through a real Asterisk, judged by what the caller's phone heard: every codec, clear, count, strangers."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from audio_fork.rtp_audio import RtpAudio
from media_core.rtp import build_rtp
from media_core.tones import ToneDetector, tone
from parley.app.audio_connectors import rtp_connector
from parley.call_control import RTP_CODECS, AudioCodec, LegAnswered, LegOffered, RtpTarget
from tests.contract.asterisk_bench import AsteriskBench, asterisk_bench
from tests.contract.benches import EventLog
from tests.contract.test_call_control import listening
from tests.support.asterisk import Asterisk
from tests.support.hearing import frequency_hz, level_dbfs, silence_after, speech_segments
from tests.support.phone_call import PhoneCall
from tests.support.recording import tone as phone_tone

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

AGENT_HZ, CALLER_HZ, STRANGER_HZ = 600.0, 1000.0, 1700.0
CLEAR_MS = 40
"""From clear() to silence at the caller's phone."""
PATH_MS = 20
"""What one frame's length blurs at either end."""

codecs = pytest.mark.parametrize("codec", sorted(RTP_CODECS))


@pytest_asyncio.fixture(loop_scope="module")
async def bench(asterisk: Asterisk) -> AsyncIterator[AsteriskBench]:
    async with asterisk_bench(asterisk) as bench:
        yield bench


@asynccontextmanager
async def call_with_audio(bench: AsteriskBench, codec: AudioCodec) -> AsyncIterator[tuple[PhoneCall, RtpAudio]]:
    """Let a caller dial, connect the audio before the answer, answer."""
    async with listening(bench.control) as log:
        audio = RtpAudio.open(codec)
        try:
            yield await _answered(bench, log, audio, codec), audio
        finally:
            await audio.aclose()


async def _answered(bench: AsteriskBench, log: EventLog, audio: RtpAudio, codec: AudioCodec) -> PhoneCall:
    call = bench.caller.dial("920")
    leg_id = (await log.next(LegOffered)).leg.id
    await bench.control.attach_audio(leg_id, RtpTarget(*audio.local_address, codec), rtp_connector(audio))
    await bench.control.answer(leg_id)
    await log.next(LegAnswered)
    await call.wait_answered()
    return call


async def caller_heard_by(audio: RtpAudio, frequency: float, wanted_ms: int) -> int:
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


@codecs
async def test_audio_flows_both_ways(bench: AsteriskBench, codec: AudioCodec) -> None:
    async with call_with_audio(bench, codec) as (call, audio):
        audio.play(tone([AGENT_HZ], 600, audio.rate_hz))
        call.play(phone_tone(CALLER_HZ, 1.0))
        assert await caller_heard_by(audio, CALLER_HZ, 600) >= 600
        [segment] = speech_segments(call.heard)
        assert abs(segment.length_s - 0.6) < 0.05
        assert abs(frequency_hz(call.heard.samples(segment.start_s, segment.end_s)) - AGENT_HZ) < 20


@codecs
async def test_clear_silences_the_callers_phone_within_40_ms(bench: AsteriskBench, codec: AudioCodec) -> None:
    async with call_with_audio(bench, codec) as (call, audio):
        audio.play(tone([AGENT_HZ], 5000, audio.rate_hz))
        await asyncio.sleep(0.7)
        cleared_s = time.monotonic()
        audio.clear()
        await asyncio.sleep(0.4)
        silent_s = silence_after(call.heard, cleared_s - 0.1, least_ms=100)
    assert (silent_s - cleared_s) * 1000 <= CLEAR_MS


@codecs
async def test_played_samples_are_those_that_the_phone_heard(bench: AsteriskBench, codec: AudioCodec) -> None:
    async with call_with_audio(bench, codec) as (call, audio):
        audio.play(tone([AGENT_HZ], 5000, audio.rate_hz))
        await asyncio.sleep(0.5)
        audio.clear()
        await asyncio.sleep(0.3)
        [segment] = speech_segments(call.heard)
        played_ms = audio.played_samples * 1000 / audio.rate_hz
    assert abs(played_ms - segment.length_s * 1000) <= PATH_MS


async def test_strangers_packets_are_not_heard(bench: AsteriskBench) -> None:
    async with call_with_audio(bench, AudioCodec.ULAW) as (call, audio):
        await asyncio.sleep(0.2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for number in range(40):
                packet = build_rtp(0, number, number * 160, 7, bytes([0x10, 0x90] * 80))
                stranger.sendto(packet, audio.local_address)
                await asyncio.sleep(0.005)
        loudest = -120.0
        async with asyncio.timeout(2):
            async for block in audio.blocks():
                loudest = max(loudest, level_dbfs(block.pcm))
                if block.position > audio.position - audio.rate_hz // 10:
                    break
        assert audio.stats().strangers >= 40
        assert loudest < -60
        assert not call.is_ended
