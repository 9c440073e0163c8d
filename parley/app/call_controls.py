"""Several CallControls as one: the switchboard and the calls need not know by which way a leg has come.

The wiring makes one where a node takes calls by more than one way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from parley.call_control import (
    AudioTarget,
    CallControl,
    CallEvent,
    ConnectAudio,
    HangupCause,
    Leg,
    LegAnswered,
    LegEnded,
    LegId,
    LegLeft,
    LegOffered,
    LegReplaced,
    OriginateRequest,
    PbxRefused,
    TransferTarget,
)

_Told = tuple[CallControl, AsyncIterator[CallEvent], CallEvent | None]
"""Who has told an event, where the next one comes from, and the event; None at the end."""


class CallControls:
    """Events of all, and every command to the one that has the leg."""

    def __init__(self, main: CallControl, *others: CallControl) -> None:
        """main: makes calls out, and answers for legs that nobody has told of."""
        self._main = main
        self._controls = (main, *others)
        self._of_leg: dict[LegId, CallControl] = {}
        """Legs of the others that are in our hands."""

    async def events(self) -> AsyncIterator[CallEvent]:
        """Yield the events of all, each one's in its order, until all are closed; raises what one of them raises."""
        awaited = {self._next(control, aiter(control.events())) for control in self._controls}
        try:
            while awaited:
                done, awaited = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                for source in done:
                    control, events, event = source.result()
                    if event is None:
                        continue
                    if control is not self._main:
                        self._note(event, control)
                    awaited.add(self._next(control, events))
                    yield event
        finally:
            for source in awaited:
                source.cancel()
            if awaited:
                await asyncio.wait(awaited)

    async def legs(self) -> list[Leg]:
        """Return the legs of all."""
        return [leg for control in self._controls for leg in await control.legs()]

    async def claim(self, leg_id: LegId) -> None:
        """As the port says."""
        await self._of(leg_id).claim(leg_id)

    async def originate(self, request: OriginateRequest) -> LegId:
        """Call by the main one."""
        return await self._main.originate(request)

    async def ring(self, leg_id: LegId) -> None:
        """As the port says."""
        await self._of(leg_id).ring(leg_id)

    async def answer(self, leg_id: LegId) -> None:
        """As the port says."""
        await self._of(leg_id).answer(leg_id)

    async def attach_audio(self, leg_id: LegId, target: AudioTarget, connect: ConnectAudio) -> None:
        """As the port says."""
        await self._of(leg_id).attach_audio(leg_id, target, connect)

    async def audio_sent(self, leg_id: LegId) -> int | None:
        """As the port says."""
        return await self._of(leg_id).audio_sent(leg_id)

    async def send_dtmf(self, leg_id: LegId, digits: str) -> None:
        """As the port says."""
        await self._of(leg_id).send_dtmf(leg_id, digits)

    async def hold(self, leg_id: LegId, music: bool) -> None:
        """As the port says."""
        await self._of(leg_id).hold(leg_id, music)

    async def join(self, leg_id: LegId, other_id: LegId) -> None:
        """As the port says; legs that have come by different ways cannot be joined (PbxRefused)."""
        await self._of_both(leg_id, other_id).join(leg_id, other_id)

    async def part(self, leg_id: LegId, other_id: LegId) -> None:
        """As the port says."""
        await self._of_both(leg_id, other_id).part(leg_id, other_id)

    async def transfer(self, leg_id: LegId, target: TransferTarget) -> None:
        """As the port says."""
        await self._of(leg_id).transfer(leg_id, target)

    async def continue_in_dialplan(self, leg_id: LegId, variables: Mapping[str, str]) -> None:
        """As the port says."""
        await self._of(leg_id).continue_in_dialplan(leg_id, variables)

    async def hangup(
        self,
        leg_id: LegId,
        cause: HangupCause = HangupCause.NORMAL_CLEARING,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """As the port says."""
        await self._of(leg_id).hangup(leg_id, cause, variables)

    async def aclose(self) -> None:
        """Close all."""
        for control in self._controls:
            await control.aclose()

    def _of(self, leg_id: LegId) -> CallControl:
        return self._of_leg.get(leg_id, self._main)

    def _of_both(self, leg_id: LegId, other_id: LegId) -> CallControl:
        control = self._of(leg_id)
        if self._of(other_id) is not control:
            raise PbxRefused("legs that have come by different ways cannot be joined")
        return control

    def _next(self, control: CallControl, events: AsyncIterator[CallEvent]) -> asyncio.Task[_Told]:
        async def told() -> _Told:
            return control, events, await anext(events, None)

        return asyncio.create_task(told())

    def _note(self, event: CallEvent, control: CallControl) -> None:
        """Remember whose a leg is before anybody can command it."""
        match event:
            case LegOffered(leg) | LegAnswered(leg):
                self._of_leg[leg.id] = control
            case LegReplaced(leg_id, leg):
                # Only the main one replaces legs: commands that still name the old one reach it without an entry.
                self._of_leg.pop(leg_id, None)
                self._of_leg[leg.id] = control
            case LegLeft(leg_id) | LegEnded(leg_id):
                self._of_leg.pop(leg_id, None)
            case _:
                pass
