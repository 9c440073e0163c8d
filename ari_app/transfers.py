"""A party's phone asks for a transfer, and Asterisk leaves it to us (`PJSIP_TRANSFER_HANDLING()=ari-only`).

A REFER to the agent means: connect the agent with somebody else, and let me go. Two kinds are carried out: to another
call of the same phone at this Asterisk (attended), and to an extension (blind), if the channel's TRANSFER_CONTEXT
allows any. The new party is called, or linked, on a Local channel; when it is there it takes the old one's place
(`moves`), and the phone is told. Until then the conversation goes on with whom it was with.

Asterisk is asked for this only from the releases on in which no caller can crash it so (`SAFE_FROM`); before, and for
channels of other drivers, it carries transfers out itself, by the same TRANSFER_CONTEXT. `call_control` owns one.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ari_app.asterisk_info import AsteriskInfo
from ari_app.dead_man import OFFER_GRACE_S
from ari_app.events import (
    AriEvent,
    Channel,
    ChannelDestroyed,
    ChannelHold,
    ChannelStateChange,
    ChannelTransfer,
    StasisEnd,
    StasisStart,
)
from ari_app.legs import LegBook
from ari_app.media_legs import Spawn, is_media_leg
from ari_app.moves import CONTEXT, Moves
from ari_app.rest import AriRest
from ari_app.validation import is_number, is_place
from parley.call_control import CallControlError, CallEvent, Leg, LegId

logger = logging.getLogger(__name__)

SAFE_FROM = {20: 21, 22: 11, 23: 5}
"""First minor release, by major, in which a REFER with `Refer-Sub: false` does not end Asterisk (SIGSEGV, 22.10.1)."""
HANDLING = "PJSIP_TRANSFER_HANDLING()"
HANDLING_NOTE = "PARLEY_TRANSFER_HANDLING"
"""Channel variable: what the handling was set to. The dialplan undoes it where a channel leaves without our help; old
Asterisks do not have the function at all."""
TRANSFER_CONTEXT = "TRANSFER_CONTEXT"
"""Channel variable, Asterisk's own: where the party's phone may transfer its peer to."""
NOWHERE = "parley-no-transfers"
"""TRANSFER_CONTEXT of parties who may not transfer us to an extension; no such context exists."""
RING_S = 30
PREFIX = "parley-moved."
ARGUMENTS = "parley-moved"
"""What new parties enter our application with when they answer; one whom the dialplan sends to us later has others."""

_CHANNEL_NAME = re.compile(r"[A-Za-z0-9_.@;:/-]{1,200}")


def is_safe(info: AsteriskInfo) -> bool:
    """Tell whether Asterisk may be told to leave transfers to us."""
    return info.has(SAFE_FROM, unreadable=False)


@dataclass(slots=True)
class _Transfer:
    asked_by: LegId
    leg_id: LegId
    """Of the new party."""
    rang: bool = False
    given_up: bool = False
    end: list[AriEvent] = field(default_factory=list)
    """How the party that asked has left, if it did not wait; not told yet."""


class Transfers:
    """The transfers that are being carried out. `tell` publishes what the book says; `spawn` runs requests."""

    def __init__(
        self,
        rest: AriRest,
        application: str,
        book: LegBook,
        moves: Moves,
        *,
        spawn: Spawn,
        tell: Callable[[list[CallEvent]], None],
    ) -> None:
        self._rest = rest
        self._application = application
        self._prefix = f"{PREFIX}{application}."
        self._book = book
        self._moves = moves
        self._spawn = spawn
        self._tell = tell
        self._by_new_leg: dict[LegId, _Transfer] = {}
        self._left_to_us: dict[LegId, asyncio.Lock] = {}
        """Channels whose transfers Asterisk leaves to us; the lock is held while it is told so, or the contrary."""
        self.wanted = False
        """Whether Asterisk is to be asked to leave transfers to us."""

    # Whose transfers are ours

    def found(self, channels: Iterable[Channel]) -> None:
        """Go on after a time without events: with the legs among these channels, which the book has been told of."""
        self._left_to_us = {leg_id: lock for leg_id, lock in self._left_to_us.items() if leg_id in self._book}
        for channel in channels:
            if LegId(channel.id) in self._book:
                self._spawn(self.take_over(channel))

    async def take_over_offer(self, channel: Channel) -> None:
        """Do so for a leg that has just entered, unless it is sent on at once: in a flood that saves two requests."""
        if self.wanted:
            await asyncio.sleep(OFFER_GRACE_S)
            if self._book.is_claimed(LegId(channel.id)):
                await self.take_over(channel)

    async def take_over(self, channel: Channel) -> None:
        """Have Asterisk leave the channel's transfers to us, if that is wanted and its driver can."""
        if not self.wanted or not channel.name.startswith("PJSIP/"):
            return
        lock = self._left_to_us.setdefault(LegId(channel.id), asyncio.Lock())
        async with lock:
            try:
                # First the note: we may be killed in between.
                await self._rest.set_variable(channel.id, HANDLING_NOTE, "ari-only")
                await self._rest.set_variable(channel.id, HANDLING, "ari-only")
            except CallControlError as err:
                self._left_to_us.pop(LegId(channel.id), None)
                logger.info("Asterisk keeps transfers to itself", extra={"leg_id": channel.id, "code": err.code})

    async def give_back(self, leg_id: LegId) -> None:
        """Have Asterisk carry out the channel's transfers again: it leaves us, and nobody would answer them."""
        lock = self._left_to_us.get(leg_id)
        if lock is None:
            return
        async with lock:
            if self._left_to_us.pop(leg_id, None) is None:
                return
            try:
                await self._rest.set_variable(leg_id, HANDLING, "core")
            except CallControlError as err:
                logger.info("transfers not given back to Asterisk", extra={"leg_id": leg_id, "code": err.code})

    def cancel(self, leg_id: LegId) -> None:
        """Give up the transfer that a party has asked for: the conversation with it is over."""
        for transfer in [going_on for going_on in self._by_new_leg.values() if going_on.asked_by == leg_id]:
            del self._by_new_leg[transfer.leg_id]
            transfer.given_up = True
            self._spawn(self._hang_up(transfer.leg_id))
            self._failed(transfer)

    def was_left(self, channel: Channel) -> bool:
        """Tell whether the channel is a new party that an earlier process was calling; the answered ones are not."""
        return channel.state != "Up" and self._is_nobodys(channel.id)

    def _is_nobodys(self, channel_id: str) -> bool:
        return channel_id.startswith(self._prefix) and LegId(channel_id) not in self._book

    # Events

    def take(self, event: AriEvent) -> bool:
        """Take an event before the book does; True when the book is not to have it."""
        match event:
            case ChannelTransfer(state=""):
                self._asked(event)
            case StasisStart(channel) if channel.id in self._by_new_leg:
                self._answered(self._by_new_leg.pop(LegId(channel.id)), channel)
            case StasisStart(channel, arguments) if arguments == (ARGUMENTS,) and self._is_nobodys(channel.id):
                logger.info("party of a transfer that was given up hung up", extra={"leg_id": channel.id})
                self._spawn(self._hang_up(LegId(channel.id)))
            case ChannelStateChange(channel) if channel.id in self._by_new_leg:
                self._rings(self._by_new_leg[LegId(channel.id)], channel.state)
            case ChannelDestroyed(channel_id) if channel_id in self._by_new_leg:
                self._failed(self._by_new_leg.pop(LegId(channel_id)))
            case StasisEnd(channel_id):
                self._left_to_us.pop(LegId(channel_id), None)
                return self._defer_end(event)
            case _:
                return False
        return True

    def forget(self) -> None:
        """Give up what was going on before events were missed."""
        for transfer in list(self._by_new_leg.values()):
            self.cancel(transfer.asked_by)

    # What is asked for

    def _asked(self, event: ChannelTransfer) -> None:
        leg = self._book.get(LegId(event.channel_id))
        if leg is None or any(leg.id == going_on.asked_by for going_on in self._by_new_leg.values()):
            # A second request while the first is carried out gets the first one's answer.
            return
        transfer = _Transfer(leg.id, LegId(self._prefix + secrets.token_hex(8)))
        self._by_new_leg[transfer.leg_id] = transfer
        self._spawn(self._carry_out(transfer, event, leg))

    async def _carry_out(self, transfer: _Transfer, event: ChannelTransfer, leg: Leg) -> None:
        try:
            call = self._link(event) if event.attended else await self._dial(event)
            if transfer.given_up:
                return
            if call is None:
                logger.info("transfer declined", extra={"leg_id": leg.id, "attended": event.attended})
                self._by_new_leg.pop(transfer.leg_id, None)
                return await self._progress(leg.id, "channel_declined")
            logger.info("transfer is carried out", extra={"leg_id": leg.id, "new_leg_id": transfer.leg_id})
            shown = {"callerId": leg.ani} if is_number(leg.ani) else {}
            options = {"appArgs": ARGUMENTS, "timeout": RING_S, **call, **shown}
            await self._rest.originate(transfer.leg_id, self._application, **options)
        except CallControlError as err:
            logger.warning("transfer cannot be carried out", extra={"leg_id": leg.id, "code": err.code})
            if (failed := self._by_new_leg.pop(transfer.leg_id, None)) is not None:
                self._failed(failed)
                await self._hang_up(transfer.leg_id)
        if transfer.given_up:
            # Asterisk may have been asked to hang up before it was asked to call.
            await self._hang_up(transfer.leg_id)

    def _link(self, event: ChannelTransfer) -> dict[str, Any] | None:
        """Return how to reach the far end of the phone's other call; None where that is not at this Asterisk."""
        peer = event.peer
        if peer is None or is_media_leg(peer.id) or LegId(peer.id) in self._book:
            return None
        if not _CHANNEL_NAME.fullmatch(peer.name):
            return None
        return {"endpoint": f"Local/link@{CONTEXT}/n", "variables": {"PARLEY_LINK": peer.name}}

    async def _dial(self, event: ChannelTransfer) -> dict[str, Any] | None:
        """Return how to reach the extension; None where the site allows none, or not this one."""
        context = await self._value(event.channel_id, TRANSFER_CONTEXT)
        if context == NOWHERE or not is_place(context, event.extension):
            return None
        if await self._value(event.channel_id, f"DIALPLAN_EXISTS({context},{event.extension},1)") != "1":
            return None
        return {"endpoint": f"Local/{event.extension}@{context}/n", "variables": {}}

    async def _value(self, channel_id: str, name: str) -> str:
        try:
            return await self._rest.get_variable(channel_id, name)
        except CallControlError as err:
            logger.debug("variable not read", extra={"leg_id": channel_id, "variable": name, "code": err.code})
            return ""

    # How it goes

    def _rings(self, transfer: _Transfer, state: str) -> None:
        if state == "Ringing" and not transfer.rang:
            transfer.rang = True
            self._spawn(self._progress(transfer.asked_by, "channel_progress"))

    def _answered(self, transfer: _Transfer, channel: Channel) -> None:
        if transfer.asked_by not in self._book:
            return self._spawn(self._hang_up(transfer.leg_id))
        self._tell(self._book.replace(transfer.asked_by, channel))
        self._spawn(self._finish(transfer))

    async def _finish(self, transfer: _Transfer) -> None:
        """Tell the phone that it can go, as soon as the new party is in its place."""
        try:
            await self._moves.present(transfer.leg_id)
        except CallControlError as err:
            logger.warning("a transfer takes long", extra={"leg_id": transfer.leg_id, "code": err.code})
        await self._progress(transfer.asked_by, "channel_answered")

    def _failed(self, transfer: _Transfer) -> None:
        """Go on with the party that has asked, or end with it if it did not wait."""
        self._spawn(self._progress(transfer.asked_by, "channel_unavailable"))
        for event in transfer.end:
            self._tell(self._book.apply(event))

    def _defer_end(self, event: StasisEnd) -> bool:
        """Keep back that a party has gone while its transfer is carried out: the conversation waits for the other."""
        for transfer in self._by_new_leg.values():
            if transfer.asked_by == event.channel_id and transfer.asked_by in self._book:
                transfer.end.append(event)
                self._tell(self._book.apply(ChannelHold(event.channel_id)))
                self._book.release(transfer.asked_by)
                return True
        return False

    async def _progress(self, leg_id: LegId, state: str) -> None:
        try:
            await self._rest.tell_transfer_progress(leg_id, state)
        except CallControlError as err:
            logger.debug("transfer progress not told", extra={"leg_id": leg_id, "state": state, "code": err.code})

    async def _hang_up(self, leg_id: LegId) -> None:
        try:
            await self._rest.hangup(leg_id)
        except CallControlError as err:
            logger.debug("leg of a transfer not hung up", extra={"leg_id": leg_id, "code": err.code})
