"""Media legs: the externalMedia channels that carry a party's audio to us and back.

`bridges` asks for them; they never appear as legs of the port.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ari_app.deletion import delete
from ari_app.errors import AriRefused, not_about_the_leg
from ari_app.events import AriEvent, Channel, ChannelDestroyed, StasisStart
from ari_app.external_media import connection_of, peer_of, refusal_of
from ari_app.legs import NATIVE_FORMATS
from ari_app.rest import AriRest
from parley.call_control import (
    AudioCodec,
    AudioPeer,
    AudioTarget,
    ConnectAudio,
    LegId,
    PbxRefused,
    PbxUnavailable,
    RtpTarget,
)
from parley.call_control.validation import checked_target

logger = logging.getLogger(__name__)

PREFIX = "parley-media."
"""Begins the id of every media leg of every Parley node; then follow the application and a random part."""
LEG_VARIABLE = "PARLEY_LEG"
"""Channel variable of a media leg that names its party."""

Spawn = Callable[[Coroutine[Any, Any, None]], None]


@dataclass(frozen=True, slots=True)
class MediaLeg:
    """A media leg that Asterisk has."""

    channel_id: str


def is_media_leg(channel_id: str) -> bool:
    """Tell whether a channel is a media leg, ours or another node's."""
    return channel_id.startswith(PREFIX)


class MediaLegs:
    """Creates and deletes media legs. `spawn` runs clean-up that must outlive a cancelled caller."""

    def __init__(self, rest: AriRest, application: str, spawn: Spawn, deadline_s: float) -> None:
        self._rest = rest
        self._application = application
        self._prefix = f"{PREFIX}{application}."
        self._spawn = spawn
        self._deadline_s = deadline_s
        self._known: dict[str, bool] = {}
        """Media legs that we have made or taken over → whether they end by themselves when our end is closed."""
        self._starting: dict[str, asyncio.Future[None]] = {}

    def is_own(self, channel_id: str) -> bool:
        """Tell whether a channel is a media leg of this application."""
        return channel_id.startswith(self._prefix)

    def knows(self, channel_id: str) -> bool:
        """Tell whether the media leg was made or taken over by us, and not deleted since."""
        return channel_id in self._known

    def apply(self, event: AriEvent) -> None:
        """Take an event about a media leg."""
        match event:
            case StasisStart(channel) if channel.id in self._starting:
                self._settle(channel.id, None)
            case StasisStart(channel) if self.is_own(channel.id) and channel.id not in self._known:
                # Its request was given up before Asterisk had carried it out.
                self._spawn(self.delete(channel.id))
            case ChannelDestroyed(channel_id) if channel_id in self._known:
                if channel_id in self._starting:
                    self._settle(channel_id, PbxRefused("Asterisk ended the media leg before it was up"))
                elif not self._known[channel_id]:
                    logger.warning("somebody ended a media leg of ours", extra={"channel_id": channel_id})
                del self._known[channel_id]
            case _:
                pass

    async def create(self, leg_id: LegId, target: AudioTarget, connect: ConnectAudio) -> MediaLeg:
        """Create a media leg for a party, let `connect` open our end of it, and return it once it can be bridged.

        Raises PbxRefused when Asterisk has no channel driver for the transport or not this codec, PbxUnavailable past
        the deadline, and what `connect` raises. Nothing is left behind after a failure or a cancellation.
        """
        checked_target(target)
        channel_id = self._prefix + secrets.token_hex(8)
        started = asyncio.get_running_loop().create_future()
        self._starting[channel_id] = started
        self._known[channel_id] = not isinstance(target, RtpTarget)
        patience = asyncio.timeout(self._deadline_s)
        try:
            channel = await self._request(channel_id, leg_id, target)
            async with patience:
                await connect(await self._peer_of(channel, target))
                # The answer comes before the channel is in Stasis; bridging it now would be refused (422).
                await started
            await self._check_linear(channel_id, target)
            return MediaLeg(channel_id)
        except BaseException as err:
            self._spawn(self.delete(channel_id))
            if isinstance(err, TimeoutError) and patience.expired():
                raise PbxUnavailable("the media leg did not enter Stasis in time: is Asterisk overloaded?") from err
            raise
        finally:
            del self._starting[channel_id]
            started.cancel()

    def take_over(self, channel_id: str) -> MediaLeg:
        """Enter a media leg of an earlier process into the books; over a connection it ends by itself any moment."""
        self._known[channel_id] = True
        return MediaLeg(channel_id)

    async def delete(self, channel_id: str) -> None:
        """End a media leg. One that is gone already is no error; neither is a PBX that is not there."""
        self._known.pop(channel_id, None)
        await delete(lambda: self._rest.hangup(channel_id), channel_id)

    async def party_of(self, channel_id: str) -> LegId:
        """Return the party that a media leg was made for; empty when that cannot be told any more."""
        try:
            return LegId(await self._rest.get_variable(channel_id, LEG_VARIABLE))
        except AriRefused:
            return LegId("")

    async def _request(self, channel_id: str, leg_id: LegId, target: AudioTarget) -> Channel:
        try:
            return await self._rest.create_external_media(
                channel_id, self._application, target.codec.value, {LEG_VARIABLE: leg_id}, **connection_of(target)
            )
        except AriRefused as err:
            raise refusal_of(target, err.status) from err

    async def _check_linear(self, channel_id: str, target: AudioTarget) -> None:
        """Refuse a leg that carries µ-law where linear audio was asked for: so do old versions, and say nothing.

        Raises PbxRefused. Asterisk 16.28 does so, 22.10 does not; where it cannot be seen, it is taken to be right.
        """
        if not isinstance(target, RtpTarget) or target.codec is not AudioCodec.SLIN:
            return
        try:
            formats = await self._rest.get_variable(channel_id, NATIVE_FORMATS)
        except AriRefused:
            return
        if "slin" not in formats:
            raise PbxRefused(
                f"this Asterisk makes {formats} of slin over RTP, and each side would take the other for noise: "
                'set codec = "ulaw" (or alaw, g722) in [media]'
            )

    async def _peer_of(self, channel: Channel, target: AudioTarget) -> AudioPeer:
        """Return Asterisk's end; the answer's variables name it, older versions want to be asked for them."""

        async def variable(name: str) -> str:
            return channel.variables.get(name) or await self._rest.get_variable(channel.id, name)

        with not_about_the_leg("the media leg was refused"):
            return await peer_of(target, variable, self._rest.media_url)

    def _settle(self, channel_id: str, failure: PbxRefused | None) -> None:
        started = self._starting[channel_id]
        if started.done():
            return
        if failure is None:
            started.set_result(None)
        else:
            started.set_exception(failure)
