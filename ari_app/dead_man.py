"""The dead-man timer: Asterisk takes a call away from us when we stop working.

Every channel in our hands carries TIMEOUT(absolute), which `run` renews. When this process dies or hangs, the channel
leaves Stasis within the timer's length for extension T of its context (dialplans/asterisk/extensions_parley.conf),
with no help from us. `call_control` owns one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import NoReturn

from ari_app.rest import AriRest
from parley.call_control import CallControlError, LegId

logger = logging.getLogger(__name__)

_TIMER = "TIMEOUT(absolute)"
_RENEWALS_PER_LENGTH = 3


class DeadManTimer:
    """The timers of all legs. A length of 0 switches them off."""

    def __init__(self, rest: AriRest, length_s: float, legs: Callable[[], Iterable[LegId]]) -> None:
        self._rest = rest
        self._length_s = length_s
        self._legs = legs
        self._disarmed: set[LegId] = set()
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> NoReturn:
        """Renew the timers of all legs, for ever."""
        while True:
            if self._length_s:
                self._disarmed.intersection_update(self._legs())
                for leg_id in list(self._legs()):
                    await self.arm(leg_id)
            await asyncio.sleep(self._length_s / _RENEWALS_PER_LENGTH or 3600)

    async def arm(self, leg_id: LegId) -> None:
        """Start or renew one leg's timer, unless it is disarmed. A leg that is gone is no error."""
        async with self._one_at_a_time:
            if not self._length_s or leg_id in self._disarmed:
                return
            await self._set(leg_id, f"{self._length_s:g}")

    async def disarm(self, leg_id: LegId) -> None:
        """Stop one leg's timer before the leg leaves: it would end the call in the middle of the dialplan."""
        if not self._length_s:
            return
        self._disarmed.add(leg_id)
        # Behind a renewal that is under way: it must not come after this one.
        async with self._one_at_a_time:
            await self._rest.set_variable(leg_id, _TIMER, "0")

    def rearm(self, leg_id: LegId) -> None:
        """Let the renewals go on for a leg that has come back, or could not leave after all."""
        self._disarmed.discard(leg_id)

    async def _set(self, leg_id: LegId, value: str) -> None:
        try:
            await self._rest.set_variable(leg_id, _TIMER, value)
        except CallControlError as err:
            logger.debug("dead-man timer not renewed", extra={"leg_id": leg_id, "code": err.code})
