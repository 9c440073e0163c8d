"""The dead-man timer: Asterisk takes a call away from us when we stop working.

Every channel that somebody here takes care of carries TIMEOUT(absolute), which `run` renews. When this process dies or
hangs, or gives a leg up, the channel leaves Stasis within the timer's length for extension T of its context
(dialplans/asterisk/extensions_parley.conf), with no help from us. `call_control` owns one; `audiosocket_calls` keeps
the same times by AMI.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import NoReturn
from weakref import WeakValueDictionary

from ari_app.errors import AriRefused
from ari_app.legs import LegBook
from ari_app.rest import AriRest
from parley.call_control import CallControlError, LegId

logger = logging.getLogger(__name__)

DEAD_MAN_S = 10.0
"""Length where nothing else is said: no caller is in silence for longer."""
TIMER = "TIMEOUT(absolute)"
RENEWALS_PER_LENGTH = 3
DEADLINES_PER_LENGTH = 5
"""A renewal that stalls is given up in time for the next one, and so is a whole round of stalling ones."""
MOST_AT_ONCE = 16
"""Requests under way; the rest of the HTTP client's connections is left to commands."""

OFFER_GRACE_S = 0.05
"""In which a leg that is offered may be sent on before its timer is started. PARLEY_TAKE_WITHIN, where it
is set, runs meanwhile."""


class DeadManTimer:
    """The timers of all legs. A length of 0 switches them off."""

    def __init__(self, rest: AriRest, length_s: float, book: LegBook) -> None:
        self._rest = rest
        self._length_s = length_s
        self._book = book
        self._given_up: set[LegId] = set()
        """Legs whose timers are to be started a last time, until Asterisk has confirmed it."""
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._locks: WeakValueDictionary[LegId, asyncio.Lock] = WeakValueDictionary()
        """Held while a request about the leg's timer is under way: a renewal must not overtake `disarm`."""

    async def run(self) -> NoReturn:
        """Renew the timers of all claimed legs, for ever, at fixed points of time."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            await self._arm_all({*self._book.claimed(), *self._given_up})
            due_s = max(due_s + (self._length_s / RENEWALS_PER_LENGTH or 3600.0), loop.time())
            await asyncio.sleep(due_s - loop.time())

    async def arm_offer(self, leg_id: LegId) -> None:
        """Start the timer of a leg that has just been offered, unless it is sent on at once.

        In a flood of offers beyond the limit that saves two of five requests, and with them the others' time.
        """
        await asyncio.sleep(OFFER_GRACE_S)
        await self.arm(leg_id)

    async def arm(self, leg_id: LegId) -> None:
        """Start or renew one leg's timer, if the leg is claimed or given up. A leg that is gone is no error."""
        if not self._length_s:
            return
        async with self._slots:
            if self._is_wanted(leg_id):
                async with self._lock(leg_id):
                    # Asked again: `disarm` may have held the lock.
                    if self._is_wanted(leg_id):
                        await self._renew(leg_id)

    async def disarm(self, leg_id: LegId, *, behind_stasis: bool = False) -> None:
        """Stop one leg's timer before the leg leaves: it would end the call in the middle of the dialplan.

        behind_stasis: the dialplan goes on where it was, and itself stops what it has started there
        (PARLEY_TAKE_WITHIN); nothing is asked for a leg that never had a timer of ours.
        The leg must have been released in the book, else the next renewal starts the timer again. Raises as REST does.
        """
        if not self._length_s:
            return
        self._given_up.discard(leg_id)
        async with self._lock(leg_id):
            if behind_stasis and not self._book.may_be_timed(leg_id):
                return
            await self._rest.set_variable(leg_id, TIMER, "0")

    def give_up(self, leg_id: LegId) -> None:
        """Let `arm`, `run` or `aclose` start the timer a last time, for a leg that has been released in the book."""
        if self._length_s:
            self._given_up.add(leg_id)

    async def aclose(self) -> None:
        """Start the timers of all legs that are still ours a last time; `run` must have ended.

        Those that were given up are among them, and offers that nobody has taken up any more. An Asterisk that does not
        answer within one deadline for all of them keeps the timers that it has.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._length_s / DEADLINES_PER_LENGTH):
                await self._arm_all({*self._book.claimed(), *self._given_up})

    async def _arm_all(self, leg_ids: set[LegId]) -> None:
        async with asyncio.TaskGroup() as renewals:
            for leg_id in leg_ids:
                renewals.create_task(self.arm(leg_id))

    def _is_wanted(self, leg_id: LegId) -> bool:
        return leg_id in self._given_up or self._book.is_claimed(leg_id)

    def _lock(self, leg_id: LegId) -> asyncio.Lock:
        """Return the leg's lock, which exists for as long as somebody uses it."""
        return self._locks.setdefault(leg_id, asyncio.Lock())

    async def _renew(self, leg_id: LegId) -> None:
        self._book.note_timer(leg_id)
        try:
            async with asyncio.timeout(self._length_s / DEADLINES_PER_LENGTH):
                await self._rest.set_variable(leg_id, TIMER, f"{self._length_s:g}")
        except (CallControlError, TimeoutError) as err:
            code = err.code if isinstance(err, CallControlError) else "timeout"
            logger.debug("dead-man timer not renewed", extra={"leg_id": leg_id, "code": code})
            if not isinstance(err, AriRefused) or not err.leg_is_gone:
                return
        self._given_up.discard(leg_id)
