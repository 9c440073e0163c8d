"""Take up the calls of a node that has died: find their legs, keep them from the dead-man timer, let them go on.

The node asks at start, in two steps: `claim_calls` before anything slow, `prepare` when the call scripts are loaded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from parley.app.call_arguments import CallArguments
from parley.app.call_results import ParleyStatus, refusal_variables
from parley.app.recordings import recording_path
from parley.app.settings import Settings
from parley.call_control import CallControl, CallControlError, Leg, LegState
from parley.conversation.errors import CannotResume
from parley.conversation.flow.flow import Flow
from parley.conversation.flow.run import FlowRun
from parley.conversation.record import CallStart
from parley.conversation.resume_point import ResumePoint, Resumption
from parley.store import InterruptedCall

logger = logging.getLogger(__name__)

RESTARTED = "Parley was restarted"
"""PARLEY_ERROR of a caller whose conversation could not be taken up."""


@dataclass(frozen=True, slots=True)
class FoundCall:
    """An interrupted call whose leg is still in our hands, and claimed."""

    call: InterruptedCall
    point: ResumePoint
    leg: Leg


@dataclass(frozen=True, slots=True)
class ResumedCall:
    """What a call runner needs to go on with a call that another process has begun."""

    start: CallStart
    leg: Leg
    script: FlowRun
    arguments: CallArguments
    point: ResumePoint
    recordings: tuple[Path, ...]
    """What earlier processes have recorded of it, in order."""
    recording: Path
    """Where the rest is to be recorded."""

    def resumption(self, now: float) -> Resumption:
        """Return what the session needs. now: seconds since the epoch, by a clock that may have been set meanwhile."""
        passed_ms = round((now - self.start.started_at) * 1000)
        return Resumption(self.point.turn, max(passed_ms, self.point.turn.at_ms))


async def claim_calls(control: CallControl, interrupted: Iterable[InterruptedCall]) -> list[FoundCall]:
    """Claim the legs of the calls that can be taken up, and return those calls. Raises CallControlError.

    A leg that is gone, or leaves meanwhile, is passed over; so is one that nobody had answered yet.
    """
    by_leg = {call.start.leg_id: (call, call.point) for call in interrupted if call.point is not None}
    legs = [leg for leg in await control.legs() if leg.id in by_leg and leg.state is LegState.ANSWERED]
    async with asyncio.TaskGroup() as tasks:
        claims = {leg.id: tasks.create_task(_claim(control, leg)) for leg in legs}
    return [FoundCall(*by_leg[leg.id], leg) for leg in legs if claims[leg.id].result()]


async def _claim(control: CallControl, leg: Leg) -> bool:
    try:
        await control.claim(leg.id)
    except CallControlError as err:
        logger.info("leg of an interrupted call is gone", extra={"leg_id": leg.id, "code": err.code})
        return False
    return True


async def give_back(control: CallControl, found: Sequence[FoundCall]) -> None:
    """Let the dialplan have those of the legs that are still here: the node does not get as far as their calls."""
    for call in found:
        try:
            await control.continue_in_dialplan(call.leg.id, refusal_variables(ParleyStatus.FAILED, RESTARTED))
        except CallControlError as err:
            logger.debug("leg is not ours any more", extra={"leg_id": call.leg.id, "code": err.code})


def prepare(found: Sequence[FoundCall], settings: Settings, flows: Mapping[str, Flow]) -> list[ResumedCall]:
    """Make the calls ready to go on; one that does not fit settings and flows any more is told and left out.

    Looks at files: call it in a thread.
    """
    ready = []
    for call in found:
        try:
            ready.append(_prepared(call, settings, flows))
        except CannotResume as err:
            logger.warning(
                "an interrupted call cannot be taken up",
                extra={"call_id": call.call.start.call_id, "leg_id": call.leg.id, "problem": str(err)},
            )
    return ready


def _prepared(found: FoundCall, settings: Settings, flows: Mapping[str, Flow]) -> ResumedCall:
    start = found.call.start
    if start.agent not in settings.agents:
        raise CannotResume(f"there is no agent {start.agent!r} any more")
    script = FlowRun.restored(flows[start.agent], found.point.script, settings.agents[start.agent].fallback_queue)
    parts = [recording_path(settings, start, part) for part in range(1, found.call.resumed + 3)]
    return ResumedCall(
        start=start,
        leg=found.leg,
        script=script,
        arguments=CallArguments(start.agent, start.language),
        point=found.point,
        recordings=tuple(path for path in parts[:-1] if path.exists()),
        recording=parts[-1],
    )
