"""Notice that a caller does not hear us any more, where the audio's transport cannot tell by itself.

RTP has no connection: a link that is cut looks like a phone that sends nothing while its owner is silent. So once
nothing comes from the PBX, it is asked whether it still sends to the caller, which it does only with audio from us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from parley.call_control import CallControl, CallControlError, LegId

SILENT_MS = 3000
LOOK_S = 1.0
LOOKS = 3
"""So often in a row the PBX must have sent nothing more: with the wait before, six to seven seconds."""


class Heard(Protocol):
    """A call's audio connection, as far as it is watched."""

    @property
    def peer_silent_ms(self) -> int:
        """How long nothing has come from the PBX."""
        ...


async def until_unheard(
    audio: Heard,
    control: CallControl,
    leg_id: LegId,
    *,
    is_held: Callable[[], bool],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Return when the PBX passes none of our audio on to the caller; never where it does not tell.

    is_held: whether the caller has put us on hold; then the PBX may send nothing for as long as that lasts.
    """
    sent: int | None = None
    stuck = 0
    while stuck < LOOKS:
        await pause(LOOK_S)
        if audio.peer_silent_ms < SILENT_MS or is_held():
            sent, stuck = None, 0
            continue
        before, sent = sent, await _sent(control, leg_id)
        stuck = stuck + 1 if sent is not None and sent == before else 0


async def _sent(control: CallControl, leg_id: LegId) -> int | None:
    try:
        return await control.audio_sent(leg_id)
    except CallControlError:
        return None
