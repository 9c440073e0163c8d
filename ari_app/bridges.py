"""Who hears whom: a bridge for each party and its media leg, and one bridge for parties that are joined.

`call_control` calls it. A bridge exists for as long as a party is in it; its name is `parley-<leg id>` of the first.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ari_app.deletion import delete
from ari_app.errors import AriRefused, not_about_the_leg
from ari_app.media_legs import MediaLeg, MediaLegs, Spawn
from ari_app.rest import AriRest
from ari_app.rest import Bridge as SeenBridge
from parley.call_control import AudioTarget, CallControlError, ConnectAudio, LegGone, LegId, PbxRefused

logger = logging.getLogger(__name__)

_ID_PREFIX = "parley-bridge."
_NAME_PREFIX = "parley-"


@dataclass(slots=True)
class _Bridge:
    id: str
    members: set[LegId] = field(default_factory=set)


@dataclass(slots=True)
class _Seat:
    """Where one party's audio is."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the seat changes; several are taken in the order of their legs' ids."""
    users: int = 0
    """How many hold or await the lock."""
    media: MediaLeg | None = None
    bridge: _Bridge | None = None


class LegBridges:
    """The bridges of this application's parties. `spawn` runs clean-up that must outlive a cancelled caller."""

    def __init__(self, rest: AriRest, application: str, media_legs: MediaLegs, spawn: Spawn) -> None:
        self._rest = rest
        self._id_prefix = f"{_ID_PREFIX}{application}."
        self._media_legs = media_legs
        self._spawn = spawn
        self._seats: dict[LegId, _Seat] = {}
        self._bridges: dict[str, _Bridge] = {}

    async def attach(self, leg_id: LegId, target: AudioTarget, connect: ConnectAudio) -> None:
        """Connect a party's audio with `target`, in place of what it was connected with before.

        Raises LegGone when the party is gone, and what `connect` raises; after that or any other failure what was made
        here is deleted.
        """
        async with self._seated(leg_id) as (seat,):
            media = await self._media_legs.create(leg_id, target, connect)
            try:
                bridge = seat.bridge or await self._enter(leg_id, seat, await self._open_bridge(leg_id))
                with not_about_the_leg("the media leg cannot be bridged"):
                    await _to_its_end(self._rest.add_channel(bridge.id, media.channel_id))
            except BaseException:
                self._spawn(self._media_legs.delete(media.channel_id))
                if seat.media is None and seat.bridge is not None and seat.bridge.members == {leg_id}:
                    self._leave(leg_id, seat)
                raise
            replaced, seat.media = seat.media, media
            if replaced is not None:
                await self._media_legs.delete(replaced.channel_id)

    async def join(self, leg_id: LegId, other_id: LegId) -> None:
        """Put the other party, with its media leg, into the first one's bridge. Raises LegGone for either."""
        async with self._seated(leg_id, other_id) as (seat, other):
            bridge = seat.bridge or await self._enter(leg_id, seat, await self._open_bridge(leg_id))
            if other.bridge is not bridge:
                await self._enter(other_id, other, bridge)

    async def part(self, leg_id: LegId, other_id: LegId) -> None:
        """Take the other party, with its media leg, out of the bridge that it shares with the first."""
        async with self._seated(leg_id, other_id) as (seat, other):
            if other.bridge is None or other.bridge is not seat.bridge:
                return
            if other.media is not None:
                await self._enter(other_id, other, await self._open_bridge(other_id))
            else:
                await self._take_out(other_id, other.bridge)
                self._leave(other_id, other)

    async def replace(self, old_id: LegId, new_id: LegId) -> None:
        """Give a party's bridge and media leg to another party, which Asterisk may have put there already.

        Raises LegGone when the new one is gone, and as REST does; then the old one still has both.
        """
        async with self._seated(old_id, new_id) as (seat, other):
            bridge = seat.bridge
            if bridge is None:
                return
            with suppress(AriRefused):
                await self._rest.remove_channel(bridge.id, old_id)
            try:
                await _to_its_end(self._rest.add_channel(bridge.id, new_id))
            except AriRefused as err:
                raise _gone_or(err, new_id) from err
            bridge.members.discard(old_id)
            bridge.members.add(new_id)
            other.bridge, other.media, seat.bridge, seat.media = bridge, seat.media, None, None

    async def release(self, leg_id: LegId) -> None:
        """Delete what belongs to a party that is gone; parties joined with it stay as they are."""
        if leg_id not in self._seats:
            return
        async with self._seated(leg_id) as (seat,):
            media, seat.media = seat.media, None
            self._leave(leg_id, seat)
            if media is not None:
                await self._media_legs.delete(media.channel_id)

    async def sweep(self, parties: Iterable[LegId], media_channels: Iterable[str]) -> list[SeenBridge]:
        """Delete what has no party any more, and take over what an earlier process of ours left with one.

        Returns all bridges of Asterisk.

        parties: the legs in our hands. media_channels: the media legs of our application that exist.
        """
        present = set(parties)
        found: list[Coroutine[Any, Any, None]] = []
        bridges = await self._rest.bridges()
        for seen in bridges:
            if not seen.id.startswith(self._id_prefix) or seen.id in self._bridges:
                continue
            members = present.intersection(map(LegId, seen.channel_ids))
            if members:
                found.append(self._take_over(seen, members))
            else:
                logger.info("orphaned bridge deleted", extra={"bridge_id": seen.id})
                self._spawn(self._delete_bridge(seen.id))
        # Callers wait for this: not one after the other, and not for deletions, which may be tried again for seconds.
        await asyncio.gather(*found)
        for channel_id in media_channels:
            if not self._media_legs.knows(channel_id):
                logger.info("orphaned media leg deleted", extra={"channel_id": channel_id})
                self._spawn(self._media_legs.delete(channel_id))
        return bridges

    async def _take_over(self, seen: SeenBridge, members: set[LegId]) -> None:
        """Enter a bridge of an earlier process into the books, with those of its media legs whose party is there."""
        bridge = self._bridges[seen.id] = _Bridge(seen.id, members)
        for leg_id in members:
            self._seats.setdefault(leg_id, _Seat()).bridge = bridge
        media = [*filter(self._media_legs.is_own, seen.channel_ids)]
        parties = await asyncio.gather(*map(self._media_legs.party_of, media))
        for channel_id, party in zip(media, parties, strict=True):
            seat = self._seats.get(party)
            if party in members and seat is not None and seat.media is None:
                seat.media = self._media_legs.take_over(channel_id)

    async def _open_bridge(self, leg_id: LegId) -> _Bridge:
        bridge = _Bridge(self._id_prefix + secrets.token_hex(8))
        self._bridges[bridge.id] = bridge
        try:
            with not_about_the_leg("no bridge can be made"):
                await _to_its_end(self._rest.create_bridge(bridge.id, _NAME_PREFIX + leg_id))
        except BaseException:
            self._close_if_empty(bridge)
            raise
        return bridge

    async def _enter(self, leg_id: LegId, seat: _Seat, bridge: _Bridge) -> _Bridge:
        """Move a party and its media leg into a bridge; Asterisk takes them out of the one that they were in."""
        try:
            await _to_its_end(self._rest.add_channel(bridge.id, leg_id))
        except AriRefused as err:
            self._close_if_empty(bridge)
            raise _gone_or(err, leg_id) from err
        except BaseException:
            self._close_if_empty(bridge)
            raise
        left, seat.bridge = seat.bridge, bridge
        bridge.members.add(leg_id)
        try:
            if seat.media is not None:
                with not_about_the_leg("the media leg cannot be bridged"):
                    await _to_its_end(self._rest.add_channel(bridge.id, seat.media.channel_id))
        finally:
            # Not before the media leg is out of it: Asterisk 16 may list a bridge for ever that is deleted meanwhile.
            if left is not None:
                left.members.discard(leg_id)
                self._close_if_empty(left)
        return bridge

    async def _take_out(self, leg_id: LegId, bridge: _Bridge) -> None:
        try:
            await self._rest.remove_channel(bridge.id, leg_id)
        except AriRefused as err:
            raise _gone_or(err, leg_id) from err

    def _leave(self, leg_id: LegId, seat: _Seat) -> None:
        bridge, seat.bridge = seat.bridge, None
        if bridge is not None:
            bridge.members.discard(leg_id)
            self._close_if_empty(bridge)

    def _close_if_empty(self, bridge: _Bridge) -> None:
        if not bridge.members and self._bridges.pop(bridge.id, None) is not None:
            self._spawn(self._delete_bridge(bridge.id))

    async def _delete_bridge(self, bridge_id: str) -> None:
        await delete(lambda: self._rest.delete_bridge(bridge_id), bridge_id)

    @asynccontextmanager
    async def _seated(self, *leg_ids: LegId) -> AsyncIterator[tuple[_Seat, ...]]:
        """Hold the parties' seats. A seat exists while somebody uses it or something is on it."""
        seats = {leg_id: self._seats.setdefault(leg_id, _Seat()) for leg_id in sorted(leg_ids)}
        for seat in seats.values():
            seat.users += 1
        try:
            async with AsyncExitStack() as locks:
                for seat in seats.values():
                    await locks.enter_async_context(seat.lock)
                yield tuple(seats[leg_id] for leg_id in leg_ids)
        finally:
            for leg_id, seat in seats.items():
                seat.users -= 1
                if seat.users == 0 and seat.media is None and seat.bridge is None:
                    del self._seats[leg_id]


async def _to_its_end(request: Coroutine[Any, Any, None]) -> None:
    """Wait for the answer even when the caller is cancelled meanwhile, for at most the request's own deadline.

    Asterisk carries a request out although nobody waits for its answer any more. The bridge's deletion would overtake
    it: a bridge that is made after that stays for ever.
    """
    under_way = asyncio.ensure_future(request)
    try:
        await asyncio.shield(under_way)
    except asyncio.CancelledError:
        await asyncio.wait([under_way])
        if not under_way.cancelled():
            under_way.exception()  # seen: the cancellation is what the caller gets
        raise


def _gone_or(err: AriRefused, leg_id: LegId) -> CallControlError:
    """Return LegGone if a bridge refused the channel because it is not (any longer) in our application."""
    if err.status in {400, 422}:
        return LegGone(f"leg {leg_id} is gone")
    return PbxRefused(f"the bridge cannot be used ({err})")
