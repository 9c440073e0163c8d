"""A process that records turns until it is killed, and says which ones are committed.

Run as `python -m tests.store.recording_child URL`; ends by itself after 20 s.
"""

import asyncio
import signal
import sys
from dataclasses import replace
from itertools import count

from parley.store import Database, SqlCallLog
from tests.store.calls import TURN, start


async def record(url: str) -> None:
    """Record one call's turns without end."""
    log = SqlCallLog(await Database.open(url))
    await log.call_started(start("killed"))
    for number in count():
        await log.turn_ended("killed", replace(TURN, number=number))
        print(number, flush=True)


if __name__ == "__main__":
    signal.alarm(20)
    asyncio.run(record(sys.argv[1]))
