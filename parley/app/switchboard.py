"""Take what the PBX tells and give each leg to its call: admission, dispatch, reconciliation, drain.

The node runs one; it owns every call's task.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from parley.app.call_arguments import CallArgumentsError, parse_call_arguments
from parley.app.call_results import ParleyStatus, refusal_variables
from parley.app.call_runner import GONE_WITHIN_S, CallRunner, Services
from parley.app.logs import bind_call
from parley.app.queue_record import QueueRecord
from parley.app.resume import RESTARTED, ResumedCall
from parley.call_control import (
    CallControlError,
    CallEvent,
    ControlTaken,
    DigitReceived,
    Direction,
    Leg,
    LegEnded,
    LegHeld,
    LegId,
    LegLeft,
    LegOffered,
    LegReplaced,
    LegRetrieved,
    PbxConnected,
    PbxLost,
    QueueEvent,
)

logger = logging.getLogger(__name__)

OVER = "The conversation was over"
"""PARLEY_ERROR of a party who took the place of another whose call had just ended."""
HAND_OVER_S = 10.0
"""For handing the last calls to their queues; whoever is left then is taken by the PBX's dead-man timer."""
RECORDS_S = 11.0
"""From the end of the PBX adapter to that of the calls, whose records may take 10 s after a call's end."""
NOT_YET = "not connected to the PBX"
GRACE_S = 1.0
"""For offers that are on their way while Asterisk is asked which legs are ours."""


class Switchboard:
    """The node's calls."""

    def __init__(self, services: Services, records_s: float = RECORDS_S) -> None:
        """services: what every call uses.   records_s: how long calls may outlast the PBX adapter."""
        self._services = services
        self._records_s = records_s
        self._calls: dict[LegId, CallRunner] = {}
        self._queues = QueueRecord(services.log, services.metrics, services.clock)
        self._open = False
        self._draining = False
        self._pbx_problem = NOT_YET
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def active_calls(self) -> int:
        """Calls going on now."""
        return len(self._calls)

    @property
    def pbx_problem(self) -> str:
        """Why the PBX is not connected now; empty while it is."""
        return self._pbx_problem

    @property
    def draining(self) -> bool:
        """Whether offered calls are sent on in the dialplan."""
        return self._draining

    async def run(self, resumed: Sequence[ResumedCall] = ()) -> None:
        """Serve calls until the PBX adapter is closed and they are recorded. Cancelling: calls are cancelled with it.

        resumed: calls that another process has begun; they go on at once.
        """
        try:
            async with asyncio.timeout(None) as patience, asyncio.TaskGroup() as tasks:
                await self._serve(resumed, tasks)
                patience.reschedule(asyncio.get_running_loop().time() + self._records_s)
        except TimeoutError:
            logger.error("calls were not over and recorded in time", extra={"calls": self.active_calls})

    async def _serve(self, resumed: Sequence[ResumedCall], tasks: asyncio.TaskGroup) -> None:
        """Take what the PBX tells, until the adapter is closed."""
        tasks.create_task(self._queues.run(), name="queue record")
        for call in resumed:
            logger.info("call taken up again", extra={"call_id": call.start.call_id, "leg_id": call.leg.id})
            passed_s = self._services.clock.time() - call.start.started_at
            self._begin(CallRunner.resuming(self._services, call), call.leg.id, tasks, passed_s)
        async for event in self._services.control.events():
            self._take(event, tasks)
        self._queues.close()

    def open(self) -> None:
        """Take calls from now on; those that are offered before are sent on in the dialplan."""
        self._open = True

    async def retire(self) -> None:
        """Take no more calls; return when the last one has ended. Cancelling: no more calls are taken all the same."""
        self._draining = True
        logger.info("retiring", extra={"calls": self.active_calls})
        await self._idle.wait()

    def refusal_of(self, arguments: Sequence[str], on_their_way: int = 0) -> tuple[ParleyStatus, str, str] | None:
        """Return why a call with these arguments is not taken up now: status, a stable word, and words; None if it is.

        on_their_way: calls that have been promised a place and are not offered yet.
        """
        settings = self._services.settings
        if self._draining:
            return ParleyStatus.BUSY, "draining", "Parley is being stopped"
        if not self._open:
            return ParleyStatus.BUSY, "starting", "Parley is being started"
        if len(self._calls) + on_their_way >= settings.limits.max_calls:
            return ParleyStatus.BUSY, "overload", f"limits.max_calls = {settings.limits.max_calls} is reached"
        try:
            parse_call_arguments(arguments, list(settings.agents))
        except CallArgumentsError as err:
            return ParleyStatus.FAILED, "arguments", str(err)
        return None

    async def drain(self, patience_s: float) -> None:
        """Take no more calls; let those that go on end by themselves, then hand the rest to their fallback queues."""
        self._draining = True
        logger.info("draining", extra={"calls": self.active_calls, "patience_s": patience_s})
        try:
            async with asyncio.timeout(patience_s):
                await self._idle.wait()
        except TimeoutError:
            for call in list(self._calls.values()):
                call.drain()
            with suppress(TimeoutError):
                async with asyncio.timeout(HAND_OVER_S):
                    await self._idle.wait()

    def _take(self, event: CallEvent, tasks: asyncio.TaskGroup) -> None:
        """Take one event; never waits, so that no call's trouble delays another's."""
        if isinstance(event, QueueEvent):
            return self._queues.take(event)
        match event:
            case LegOffered(leg=leg):
                self._offered(leg, tasks)
            case LegReplaced(leg_id=leg_id, leg=leg):
                self._leg_replaced(leg_id, leg, tasks)
            case PbxConnected():
                self._connected()
                tasks.create_task(self._return_strangers(), name="reconcile")
            case ControlTaken(leg_ids=leg_ids):
                taken = [call for leg_id, call in self._calls.items() if leg_id in leg_ids]
                logger.error("calls cannot be followed any more and are handed on", extra={"calls": len(taken)})
                for call in taken:
                    call.control_lost()
            case PbxLost(reason=reason):
                self._lost(reason)
            case _:
                self._pass_on(event)

    def _pass_on(self, event: CallEvent) -> None:
        """Tell a call what happens to its leg."""
        match event:
            case DigitReceived(leg_id=leg_id, digit=digit) if leg_id in self._calls:
                self._calls[leg_id].press(digit)
            case LegHeld(leg_id=leg_id) if leg_id in self._calls:
                self._calls[leg_id].leg_held()
            case LegRetrieved(leg_id=leg_id) if leg_id in self._calls:
                self._calls[leg_id].leg_retrieved()
            case LegEnded(leg_id=leg_id, cause=cause) if leg_id in self._calls:
                self._calls[leg_id].leg_gone(cause)
            case LegLeft(leg_id=leg_id) if leg_id in self._calls:
                self._calls[leg_id].leg_left()
            case _:
                logger.debug("event about no call of ours", extra={"event_type": type(event).__name__})

    def _connected(self) -> None:
        self._pbx_problem = ""
        self._services.metrics.pbx_connected(True)

    def _lost(self, reason: str) -> None:
        if not self._pbx_problem:
            logger.warning("PBX lost; calls go on with their media", extra={"reason": reason})
        self._pbx_problem = f"not connected to the PBX: {reason}"
        self._services.metrics.pbx_connected(False)

    def _offered(self, leg: Leg, tasks: asyncio.TaskGroup) -> None:
        """Take the call up, or send it on at once."""
        refusal = self.refusal_of(leg.arguments)
        if refusal is not None:
            tasks.create_task(self._refuse(leg, *refusal), name="refusal")
            return
        arguments = parse_call_arguments(leg.arguments, list(self._services.settings.agents))
        self._begin(CallRunner(self._services, _new_call_id(), leg, arguments), leg.id, tasks)

    def _begin(self, call: CallRunner, leg_id: LegId, tasks: asyncio.TaskGroup, passed_s: float = 0.0) -> None:
        if (earlier := self._calls.get(leg_id)) is not None:
            # The leg left and came back while we were cut off from the PBX.
            earlier.leg_left()
        self._calls[leg_id] = call
        self._queues.call_begins(leg_id, call.call_id, passed_s)
        self._services.metrics.calls_active(len(self._calls))
        self._idle.clear()
        tasks.create_task(self._run(leg_id, call), name=f"call {call.call_id}")

    def _leg_replaced(self, leg_id: LegId, leg: Leg, tasks: asyncio.TaskGroup) -> None:
        """Let the call go on with the new leg; without a call (it is just over) the new party is sent on."""
        call = self._calls.pop(leg_id, None)
        if call is None:
            tasks.create_task(self._send_on(leg, refusal_variables(ParleyStatus.FAILED, OVER)), name="send on")
            return
        self._calls[leg.id] = call
        self._queues.leg_replaced(leg_id, leg.id)
        with bind_call(call.call_id, leg_id):
            call.leg_replaced(leg)

    async def _run(self, leg_id: LegId, call: CallRunner) -> None:
        try:
            try:
                await call.run()
            except Exception:  # the call's outer task: the other calls go on
                logger.exception("call could not be ended cleanly")
            await self._send_on_who_is_left(call)
        finally:
            # The same leg may have come back from the dialplan while its last call was being recorded, and another one
            # may have taken its place.
            for own in [own for own, served in self._calls.items() if served is call]:
                del self._calls[own]
            self._services.metrics.calls_active(len(self._calls))
            if not self._calls:
                self._idle.set()

    async def _send_on_who_is_left(self, call: CallRunner) -> None:
        """Send on who took the caller's place while the caller was being sent away: nobody has commanded that leg."""
        sent: LegId | None = None
        while (leg := call.left_over) is not None and leg.id != sent:
            # The command may have reached this leg; its end comes then, and it must not be given other variables.
            await asyncio.sleep(GONE_WITHIN_S)
            if (leg := call.left_over) is not None:
                sent = leg.id
                await self._send_on(leg, refusal_variables(ParleyStatus.FAILED, OVER))

    async def _refuse(self, leg: Leg, status: ParleyStatus, why: str, explanation: str) -> None:
        """Let the dialplan go on; the caller hears nothing of it."""
        self._services.metrics.call_refused(why)
        logger.warning("call not taken up", extra={"why": why, "problem": explanation, "leg_id": leg.id})
        await self._send_on(leg, refusal_variables(status, explanation))

    async def _return_strangers(self) -> None:
        """Give back to the dialplan the callers whom an earlier run of this node has left in our application."""
        try:
            legs = await self._services.control.legs()
        except CallControlError as err:
            logger.warning("legs could not be listed", extra={"code": err.code})
            return
        await asyncio.sleep(GRACE_S)
        for leg in legs:
            if leg.id not in self._calls and leg.direction is Direction.INBOUND:
                logger.warning("caller of an earlier run given back to the dialplan", extra={"leg_id": leg.id})
                await self._send_on(leg, refusal_variables(ParleyStatus.FAILED, RESTARTED))

    async def _send_on(self, leg: Leg, variables: Mapping[str, str]) -> None:
        try:
            await self._services.control.continue_in_dialplan(leg.id, variables)
        except CallControlError as err:
            logger.info("leg could not be sent on", extra={"code": err.code, "leg_id": leg.id})


def _new_call_id() -> str:
    """Return an id that sorts by time and cannot be guessed from another: `20261122-063015-9f3a2c41`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
