"""What /ready asks: can this node take a call now, and if not, what stands in the way?"""

from __future__ import annotations

import grpc.aio

from parley.app.health import Check
from parley.app.own_worker import worker_problem
from parley.app.switchboard import Switchboard
from parley.store import Database, StoreError


async def still_starting() -> str:
    """Fail until the node has started."""
    return "still starting"


def started_checks(switchboard: Switchboard, database: Database, channel: grpc.aio.Channel) -> dict[str, Check]:
    """Return the checks of a node that has started, `started` among them."""

    async def started() -> str:
        return ""

    async def writable() -> str:
        try:
            await database.check_writable()
        except StoreError as err:
            return str(err)
        return ""

    async def connected() -> str:
        return switchboard.pbx_problem

    async def worker_answers() -> str:
        return await worker_problem(channel)

    async def not_draining() -> str:
        return "being stopped" if switchboard.draining else ""

    return {
        "started": started,
        "pbx": connected,
        "database": writable,
        "worker": worker_answers,
        "draining": not_draining,
    }
