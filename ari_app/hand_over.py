"""Let go of a leg for good: send it on in the dialplan, redirect it, or hang it up.

`call_control` calls it. Whoever asks for this takes no further care of the leg; so a leg that cannot be sent away is
given to its dead-man timer, and Asterisk takes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from ari_app.dead_man import DeadManTimer
from ari_app.errors import AriRefused
from ari_app.legs import LegBook
from ari_app.media_legs import Spawn
from ari_app.rest import AriRest
from ari_app.transfers import Transfers
from parley.call_control import CallControlError, HangupCause, LegId, PbxUnavailable

logger = logging.getLogger(__name__)

RETRY_WAITS_S = (0.2, 0.6)
"""Before the second and the third attempt of a request that Asterisk has not answered."""


class HandOver:
    """Sends legs away. `spawn` runs what must outlive a cancelled caller.

    All methods raise as REST does once the attempts are used up; the leg is then released in the book, and its timer
    is started a last time. The same holds after a cancellation.
    """

    def __init__(
        self,
        rest: AriRest,
        book: LegBook,
        dead_man: DeadManTimer,
        transfers: Transfers,
        spawn: Spawn,
        retry_waits_s: Sequence[float] = RETRY_WAITS_S,
    ) -> None:
        self._rest = rest
        self._book = book
        self._dead_man = dead_man
        self._transfers = transfers
        self._spawn = spawn
        self._retry_waits_s = retry_waits_s
        self.variables_together = False
        """Asterisk has a request for several variables at once."""

    async def let_go(self, leg_id: LegId, variables: Mapping[str, str], place: Mapping[str, str | int]) -> None:
        """Set the variables, stop the timer, and let the dialplan go on (at `place`, if it names one)."""
        self._transfers.cancel(leg_id)
        with self._leaving(leg_id):
            await self._set_variables(leg_id, variables)
            self._book.release(leg_id)
            await self._stop_timer(leg_id, behind_stasis=not place)
            await self._transfers.give_back(leg_id)
            await self._insist(partial(self._rest.continue_in_dialplan, leg_id, **place))

    async def redirect(self, leg_id: LegId, endpoint: str) -> None:
        """Ask the party's phone, once, to call somebody else: a second REFER would be a second call."""
        self._transfers.cancel(leg_id)
        with self._leaving(leg_id):
            await self._rest.redirect(leg_id, endpoint)

    async def hang_up(
        self, leg_id: LegId, cause: HangupCause, variables: Mapping[str, str], cause_as_number: bool
    ) -> None:
        """Set the variables if Asterisk lets us (not while an attempt of ours rings), then end the leg."""
        self._transfers.cancel(leg_id)
        with self._leaving(leg_id):
            try:
                await self._set_variables(leg_id, variables)
            except AriRefused as err:
                logger.warning("variables not set before a hang-up", extra={"leg_id": leg_id, "status": err.status})
            self._book.note_hangup(leg_id, cause)
            await self._insist(partial(self._rest.hangup, leg_id, cause, cause_as_number))

    async def _stop_timer(self, leg_id: LegId, *, behind_stasis: bool) -> None:
        """Stop the leg's timer; one that cannot be stopped, or never could be started, does not keep the leg here.

        Whether the leg is gone, the request that sends it on will tell.
        """
        try:
            await self._insist(partial(self._dead_man.disarm, leg_id, behind_stasis=behind_stasis))
        except CallControlError as err:
            logger.warning("dead-man timer not stopped before a hand-over", extra={"leg_id": leg_id, "code": err.code})

    @contextmanager
    def _leaving(self, leg_id: LegId) -> Iterator[None]:
        """Give the leg to its timer if it cannot leave."""
        try:
            yield
        except BaseException:
            self._book.release(leg_id)
            self._dead_man.give_up(leg_id)
            self._spawn(self._dead_man.arm(leg_id))
            raise

    async def _set_variables(self, leg_id: LegId, variables: Mapping[str, str]) -> None:
        """Set all of them at the same time: each request takes a round trip, and a caller waits."""
        if self.variables_together and variables:
            await self._insist(partial(self._rest.set_variables, leg_id, variables))
            return
        await asyncio.gather(
            *(self._insist(partial(self._rest.set_variable, leg_id, name, value)) for name, value in variables.items())
        )

    async def _insist(self, request: Callable[[], Awaitable[None]]) -> None:
        """Do a request that may be done twice, and do it again when no answer comes.

        An attempt without an answer may have been carried out: if the leg is gone at the next one, that is success.
        """
        for attempt, wait_s in enumerate((0.0, *self._retry_waits_s)):
            await asyncio.sleep(wait_s)
            try:
                return await request()
            except AriRefused as err:
                if attempt == 0 or not err.leg_is_gone:
                    raise
                return None
            except PbxUnavailable as err:
                if attempt == len(self._retry_waits_s):
                    raise
                logger.warning("no answer while a leg is sent away; trying again", extra={"code": err.code})
