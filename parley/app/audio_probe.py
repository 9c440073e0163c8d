"""The doctor's audio round trip: two media legs in one bridge, a different tone into each, both heard at the other.

It goes through Asterisk just as a call does, over the same transport, with the same codec and pacing.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from ari_app.errors import AriRefused
from ari_app.external_media import connection_of, peer_of, refusal_of
from ari_app.legs import NATIVE_FORMATS
from ari_app.rest import AriRest
from audio_fork.audio_connection import AudioConnection
from media_core.tones import ToneDetector, tone
from parley.app.audio_lines import AudioLine, AudioLines
from parley.call_control import CallControlError, HangupCause

TONES_HZ = (600.0, 1000.0)
TONE_MS = 600
LISTEN_S = 1.5
ENTER_STASIS_S = 2.0
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class ProbedLeg:
    """One of the two legs while they stand."""

    channel_id: str
    audio: AudioConnection
    codec: str


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What was heard."""

    heard_ms: tuple[int, int]
    """For each direction, how many ms of the other leg's tone arrived; TONE_MS is all of it."""
    codecs: tuple[str, ...]
    """Those of the legs; two where narrowband and wideband callers get different ones."""
    tells_wideband: bool
    """Whether Asterisk tells which of its channels have wideband audio (channelvars in ari.conf)."""
    answers: dict[str, str]
    """Dialplan functions that were asked for, evaluated on one of the channels."""

    @property
    def both_ways(self) -> bool:
        """Whether most of each tone arrived."""
        return all(heard >= TONE_MS * 0.8 for heard in self.heard_ms)


async def probe_audio(rest: AriRest, application: str, lines: AudioLines, functions: tuple[str, ...] = ()) -> RoundTrip:
    """Send tones both ways through Asterisk, and evaluate dialplan functions on the way.

    Raises CallControlError when Asterisk refuses, audio_fork's errors when our end cannot be opened or connected.
    """
    async with AsyncExitStack() as stack:
        bridge_id = f"parley-doctor-{secrets.token_hex(6)}"
        await rest.create_bridge(bridge_id, bridge_id)
        stack.push_async_callback(_quietly_delete_bridge, rest, bridge_id)
        legs = [await _add_leg(rest, application, lines.open(wideband), bridge_id, stack) for wideband in (False, True)]
        answers = {name: await _evaluate(rest, legs[0].channel_id, name) for name in functions}
        seen = {channel.id: channel.variables for channel in await rest.channels()}
        for leg, frequency in zip(legs, TONES_HZ, strict=True):
            leg.audio.play(tone([frequency], TONE_MS, leg.audio.rate_hz))
        first, second = await asyncio.gather(
            _heard_ms(legs[0].audio, TONES_HZ[1]), _heard_ms(legs[1].audio, TONES_HZ[0])
        )
        codecs = tuple(dict.fromkeys(leg.codec for leg in legs))
        return RoundTrip((first, second), codecs, NATIVE_FORMATS in seen.get(legs[0].channel_id, {}), answers)


async def _add_leg(
    rest: AriRest, application: str, line: AudioLine, bridge_id: str, stack: AsyncExitStack
) -> ProbedLeg:
    stack.push_async_callback(line.audio.aclose)
    channel_id = f"parley-doctor-{secrets.token_hex(6)}"
    target = line.target
    try:
        channel = await rest.create_external_media(
            channel_id, application, target.codec.value, {}, **connection_of(target)
        )
    except AriRefused as err:
        raise refusal_of(target, err.status) from err
    stack.push_async_callback(_quietly_hang_up, rest, channel_id)

    async def variable(name: str) -> str:
        return channel.variables.get(name, "")

    await line.connect(await peer_of(target, variable, rest.media_url))
    await _bridge_when_in_stasis(rest, bridge_id, channel_id)
    return ProbedLeg(channel_id, line.audio, target.codec.value)


async def _bridge_when_in_stasis(rest: AriRest, bridge_id: str, channel_id: str) -> None:
    """Add the channel as soon as Asterisk allows it: it answers 422 until the channel has entered Stasis."""
    async with asyncio.timeout(ENTER_STASIS_S):
        while True:
            try:
                return await rest.add_channel(bridge_id, channel_id)
            except AriRefused as err:
                if err.status != 422:
                    raise
            await asyncio.sleep(POLL_S)


async def _evaluate(rest: AriRest, channel_id: str, function: str) -> str:
    """Return a dialplan function's value, empty when Asterisk does not have the function."""
    try:
        return await rest.get_variable(channel_id, function)
    except CallControlError:
        return ""


async def _heard_ms(audio: AudioConnection, frequency: float) -> int:
    detector = ToneDetector(audio.rate_hz, [frequency])
    blocks = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(LISTEN_S):
            async for block in audio.blocks():
                blocks += sum(1 for tones in detector.feed(block.pcm) if tones)
    return blocks * detector.block_samples * 1000 // audio.rate_hz


async def _quietly_hang_up(rest: AriRest, channel_id: str) -> None:
    with suppress(CallControlError):
        await rest.hangup(channel_id, HangupCause.NORMAL_CLEARING)


async def _quietly_delete_bridge(rest: AriRest, bridge_id: str) -> None:
    with suppress(CallControlError):
        await rest.delete_bridge(bridge_id)
