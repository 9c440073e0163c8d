"""Delete what is ours at Asterisk, and do not give up at the first refusal: what stays would stay for ever.

`media_legs` and `bridges` call it. Past the last attempt the sweep of the next connection is what is left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from ari_app.errors import AriRefused
from parley.call_control import CallControlError

logger = logging.getLogger(__name__)

RETRY_WAITS_S = (0.2, 0.6, 2.0)
"""Before the second attempt and those after it."""


async def delete(
    request: Callable[[], Awaitable[None]], what: str, retry_waits_s: Sequence[float] = RETRY_WAITS_S
) -> None:
    """Do a request that deletes something. What is gone already is no error; neither is a PBX that is not there."""
    for wait_s in (0.0, *retry_waits_s):
        await asyncio.sleep(wait_s)
        try:
            return await request()
        except CallControlError as err:
            if isinstance(err, AriRefused) and err.not_found:
                return None
            code = err.code
    logger.warning("something of ours stays at Asterisk for now", extra={"what": what, "code": code})
