"""Another party takes a leg's place: an attended transfer that somebody's phone completes, or a blind one.

Asterisk puts the new channel (the near end of a Local pair) into Stasis, and mostly into the old one's bridge, by
itself; after a blind transfer it may still ring. Such a channel has no dialplan: nothing could be given back to it, and
no extension T would take it from a dead node. So, once answered, it goes through `[parley-moved]` of
extensions_parley.conf, a few milliseconds, and comes back with a dialplan. `call_control` owns a Moves.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from contextlib import suppress

from ari_app.bridges import LegBridges
from ari_app.dead_man import DeadManTimer
from ari_app.errors import AriRefused
from ari_app.events import AriEvent, Channel, StasisEnd, StasisStart
from ari_app.legs import LegBook
from ari_app.media_legs import Spawn
from ari_app.rest import AriRest
from parley.call_control import CallControlError, CallEvent, LegGone, LegId, LegState, PbxUnavailable

logger = logging.getLogger(__name__)

CONTEXT = "parley-moved"
RINGS_AFTER_S = 0.2
"""A leg that talks already may be up only some milliseconds after it has come: it is told when it is in its place."""
DISMISS_S = 5.0
"""For the old party's phone to hang up by itself, as phones do once a transfer has succeeded."""

_ACTS_IN_ARGUMENTS = re.compile(r'([\\",()\[\]])')


class Moves:
    """The arrivals under way. `spawn` runs them; `tell` publishes what the book says; `take` gets doubted events."""

    def __init__(
        self,
        rest: AriRest,
        application: str,
        book: LegBook,
        bridges: LegBridges,
        dead_man: DeadManTimer,
        *,
        spawn: Spawn,
        tell: Callable[[list[CallEvent]], None],
        take: Callable[[AriEvent], None],
        deadline_s: float,
        dismiss_s: float = DISMISS_S,
    ) -> None:
        self._rest = rest
        self._application = application
        self._book = book
        self._bridges = bridges
        self._dead_man = dead_man
        self._spawn = spawn
        self._tell = tell
        self._take = take
        self._deadline_s = deadline_s
        self._dismiss_s = dismiss_s
        self._arriving: dict[LegId, asyncio.Event] = {}
        """Legs that are not in their places yet."""
        self._away: dict[LegId, asyncio.Future[None]] = {}
        """Legs in `[parley-moved]`, on their way back."""
        self._ringing: dict[LegId, asyncio.Future[None]] = {}
        """Legs that are not answered yet: Asterisk lets them into no dialplan (412)."""

    async def present(self, leg_id: LegId) -> LegId:
        """Return the leg itself or the one in its place, once that can be commanded.

        Raises PbxUnavailable when it takes too long.
        """
        meant = self._book.resolve(leg_id)
        arriving = self._arriving.get(meant)
        if arriving is not None:
            try:
                async with asyncio.timeout(self._deadline_s):
                    await arriving.wait()
            except TimeoutError as err:
                raise PbxUnavailable("the leg is being moved, and does not arrive") from err
        return self._book.resolve(leg_id)

    def doubts(self, event: AriEvent) -> bool:
        """Tell whether an event is to be left alone for now; it is taken once Asterisk, which is asked, confirms it.

        After a leg was found back on a new connection, the end of its first stay in Stasis may still be waiting there.
        """
        if not isinstance(event, StasisEnd) or not self._book.doubts_end(LegId(event.channel_id)):
            return False
        self._spawn(self._ask_about(event))
        return True

    def apply(self, event: AriEvent) -> None:
        """Take an event, after the book has: legs come back from the dialplan, or end on the way."""
        if isinstance(event, StasisStart) and event.channel.id in self._away:
            _settle(self._away.pop(LegId(event.channel.id)), None)
        self.catch_up()

    def found(self, channels: Iterable[Channel]) -> None:
        """Go on with the legs among these channels that came back from the dialplan in a time without events."""
        for channel in channels:
            if channel.id in self._away and self._is_back(channel):
                self._book.found_back(channel)
                _settle(self._away.pop(LegId(channel.id)), None)

    async def _ask_about(self, end: StasisEnd) -> None:
        """Take the end of a leg unless Asterisk still has it here, or the event of its return comes meanwhile."""
        leg_id = LegId(end.channel_id)
        while self._book.doubts_end(leg_id):
            try:
                channels = await self._rest.channels()
            except CallControlError as err:
                logger.debug("whether a leg has left is not known", extra={"leg_id": leg_id, "code": err.code})
                await asyncio.sleep(self._deadline_s)
                continue
            if any(channel.id == leg_id and self._is_back(channel) for channel in channels):
                return
            if self._book.doubts_end(leg_id):
                self._book.trust_end(leg_id)
                self._take(end)

    def _is_back(self, channel: Channel) -> bool:
        """Tell a leg that is in our hands behind the first step of `[parley-moved]` from one on its way there."""
        return channel.is_held_by(self._application) and channel.context == CONTEXT and channel.priority > 1

    def catch_up(self) -> None:
        """Go on with the legs of which the book knows more than we do; it may have learned that without an event."""
        for waiting in (self._away, self._ringing):
            for leg_id in [leg_id for leg_id in waiting if leg_id not in self._book]:
                _settle(waiting.pop(leg_id), LegGone("the leg ended while it was moved"))
        for leg_id in list(self._ringing):
            leg = self._book.get(leg_id)
            if leg is not None and leg.state is LegState.ANSWERED:
                _settle(self._ringing.pop(leg_id), None)

    def begin(self, old_id: LegId, new_id: LegId) -> None:
        """Bring the leg that the book has put in the old one's place to its place."""
        self._arriving[new_id] = asyncio.Event()
        self._spawn(self._arrive(old_id, new_id))
        # Soon enough for its timer, which nobody renews any more: extension T would take it to a queue.
        self._spawn(self._dismiss(old_id))

    async def _arrive(self, old_id: LegId, new_id: LegId) -> None:
        try:
            await self._be_answered(new_id)
            await self._give_a_dialplan(new_id)
            await self._bridges.replace(old_id, new_id)
        except CallControlError as err:
            if not isinstance(err, LegGone):
                logger.error(
                    "a party who took another's place cannot be served; extension T takes the call",
                    extra={"leg_id": new_id, "code": err.code, "problem": str(err)},
                )
            await self._give_up(old_id, new_id)
        else:
            self._tell(self._book.arrived(new_id))
        finally:
            self._no_longer_arriving(new_id)

    def _no_longer_arriving(self, leg_id: LegId) -> None:
        if (arriving := self._arriving.pop(leg_id, None)) is not None:
            arriving.set()

    async def _be_answered(self, leg_id: LegId) -> None:
        """Wait while the leg rings, which may take long: meanwhile it can be commanded. Raises LegGone at its end."""
        leg = self._book.get(leg_id)
        if leg is None or leg.state is LegState.ANSWERED:
            return
        ringing = self._ringing[leg_id] = asyncio.get_running_loop().create_future()
        at_once, _ = await asyncio.wait({ringing}, timeout=RINGS_AFTER_S)
        if not at_once:
            self._tell(self._book.arrived(leg_id))
            self._no_longer_arriving(leg_id)
        await ringing
        if not at_once:
            self._arriving[leg_id] = asyncio.Event()

    async def _give_a_dialplan(self, leg_id: LegId) -> None:
        """Send the leg through `[parley-moved]`. Raises LegGone when it ends on the way."""
        await self._dead_man.arm(leg_id)
        if not await self._can_go_through(leg_id):
            return
        leg = self._book.get(leg_id)
        if leg is None:
            raise LegGone("the leg ended while it was moved")
        away = self._away[leg_id] = asyncio.get_running_loop().create_future()
        try:
            await self._rest.set_variable(leg_id, "PARLEY_NODE", self._application)
            await self._rest.set_variable(leg_id, "PARLEY_ARGUMENTS", _written(leg.arguments))
            self._book.send_through(leg_id)
            with suppress(PbxUnavailable):  # it may have been carried out all the same
                await self._rest.continue_in_dialplan(leg_id, context=CONTEXT, extension="s", priority=1)
            await self._wait_for(leg_id, away)
        except AriRefused as err:
            self._book.send_through(leg_id, False)
            if err.leg_is_gone:
                raise LegGone(f"leg {leg_id} has just ended or left") from err
            raise
        finally:
            self._away.pop(leg_id, None)
            away.cancel()

    async def _wait_for(self, leg_id: LegId, away: asyncio.Future[None]) -> None:
        """Wait until the leg is back from the dialplan.

        Raises PbxUnavailable when Asterisk says that it is not there in time. While Asterisk says nothing the leg may
        be back, or come back: the next connection will tell.
        """
        while not (await asyncio.wait({away}, timeout=self._deadline_s))[0]:
            try:
                channels = await self._rest.channels()
            except CallControlError as err:
                logger.debug("a leg that is moved cannot be looked for", extra={"leg_id": leg_id, "code": err.code})
                continue
            if not any(channel.id == leg_id and self._is_back(channel) for channel in channels) and not away.done():
                raise PbxUnavailable(f"[{CONTEXT}] does not bring the leg back")
        await away

    async def _can_go_through(self, leg_id: LegId) -> bool:
        """Ask whether the dialplan has the context; without it the leg is served, but no extension T stands by."""
        try:
            if await self._rest.get_variable(leg_id, f"DIALPLAN_EXISTS({CONTEXT},s,1)") == "1":
                return True
        except AriRefused as err:
            logger.debug("the dialplan cannot be asked", extra={"leg_id": leg_id, "status": err.status})
        logger.warning("a party who took another's place cannot be handed over: [parley-moved] is not in the dialplan")
        return False

    async def _give_up(self, old_id: LegId, new_id: LegId) -> None:
        """Let the leg be taken by its timer, and delete the audio that it does not get."""
        self._tell(self._book.stranded(new_id))
        self._book.release(new_id)
        self._dead_man.give_up(new_id)
        await self._dead_man.arm(new_id)
        await self._bridges.release(old_id)

    async def _dismiss(self, leg_id: LegId) -> None:
        """End the leg whose place was taken, should its phone not do it: it would hear nothing for ever."""
        await asyncio.sleep(self._dismiss_s)
        try:
            await self._rest.hangup(leg_id)
        except CallControlError as err:
            logger.debug("leg whose place was taken not hung up", extra={"leg_id": leg_id, "code": err.code})


def _settle(away: asyncio.Future[None], failure: LegGone | None) -> None:
    if away.done():
        return
    if failure is None:
        away.set_result(None)
    else:
        away.set_exception(failure)


def _written(arguments: tuple[str, ...]) -> str:
    """Return the arguments so that Stasis(${…}) hands over the same ones again."""
    return ",".join(_ACTS_IN_ARGUMENTS.sub(r"\\\1", argument) for argument in arguments)
