"""Stop the dead-man timer of a leg that somebody else took out of our application: a redirect by an operator.

ARI sets nothing on a channel outside Stasis (409), and the timer, which is still running, would end the call wherever
the caller is by then. So the dialplan stops it (`[parley-timer]` in extensions_parley.conf). `call_control` asks.
"""

from __future__ import annotations

import logging
import secrets

from ari_app.rest import AriRest
from parley.call_control import CallControlError, LegId

logger = logging.getLogger(__name__)

CONTEXT, EXTENSION = "parley-timer", "stop"
PREFIX = "parley-timer."
"""Begins the ids of the short-lived Local channels."""


class TakenLegs:
    """Stops timers of `length_s` seconds; 0 means that there are none."""

    def __init__(self, rest: AriRest, application: str, length_s: float) -> None:
        self._rest = rest
        self._prefix = f"{PREFIX}{application}."
        self._length_s = length_s

    async def stop_timer(self, leg_id: LegId) -> None:
        """Stop the timer of a leg that has left. A caller who has hung up meanwhile is no error."""
        if not self._length_s:
            return
        logger.warning("somebody took a caller out of our hands", extra={"leg_id": leg_id})
        channel_id = self._prefix + secrets.token_hex(8)
        variables = {"PARLEY_TIMER": f"{self._length_s:g}"}
        try:
            await self._rest.call_dialplan(channel_id, CONTEXT, EXTENSION, leg_id, variables)
        except CallControlError as err:
            logger.warning(
                "the timer of a caller who was taken elsewhere may end the call",
                extra={"leg_id": leg_id, "code": err.code, "problem": str(err)},
            )
