"""Listen to a phone while the call goes on: has somebody begun to speak, have they finished?"""

from __future__ import annotations

import asyncio
import time

from tests.support.hearing import first_sound_at, level_dbfs
from tests.support.phone_call import PhoneCall

POLL_S = 0.02
QUIET_DBFS = -50.0
NETWORK_S = 0.06
"""What was sent a moment ago may not have arrived yet."""


class NothingHeard(Exception):
    """The phone did not hear what it waited for in time."""


class Ear:
    """One phone's earpiece."""

    def __init__(self, call: PhoneCall, poll_s: float = POLL_S) -> None:
        """call: in progress.   poll_s: how often it is listened to; every time costs processor time."""
        self._call = call
        self._poll_s = poll_s

    async def speech_begins(self, after_s: float, timeout_s: float = 15.0) -> float:
        """Wait for a sound at or after this moment; return when it began. Raises NothingHeard."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self._call.is_ended:
            began = first_sound_at(self._call.heard, after_s)
            if began is not None:
                return began
            await asyncio.sleep(self._poll_s)
        raise NothingHeard(f"silence for {timeout_s:.0f} s" if not self._call.is_ended else "the call ended")

    async def speech_ends(self, after_s: float, quiet_s: float = 0.9, timeout_s: float = 30.0) -> float:
        """Wait until a sound has begun and then `quiet_s` of silence has followed; return when it ended."""
        began = await self.speech_begins(after_s)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not self._call.is_ended:
            now = time.monotonic() - NETWORK_S
            if level_dbfs(self._call.heard.samples(now - quiet_s, now)) < QUIET_DBFS and now - quiet_s > began:
                return now - quiet_s
            await asyncio.sleep(self._poll_s)
        raise NothingHeard("the speech did not end" if not self._call.is_ended else "the call ended")
