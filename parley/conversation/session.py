"""One call's session: its states, its tasks, its record. The call runner makes one per offered call.

The session talks; the call runner alone touches the PBX:

    session = CallSession(...)
    run = tasks.create_task(session.run(audio))     # prepares the greeting while the leg is unanswered
    await session.prepared()
    await control.answer(leg_id)
    session.answered()                              # the greeting plays
    end = await run                                 # what the script wants next
    ...                                             # transfer, hang up or go on in the dialplan
    await session.close(end)                        # the record is complete, or what it lacks is reported
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from parley.call_control import HangupCause
from parley.conversation.dialogue import Dialogue
from parley.conversation.ending import DialogueEnd
from parley.conversation.errors import IllegalTransition
from parley.conversation.flow.step import FlowResult, GoOn, HangUp, Transfer
from parley.conversation.happenings import (
    Answered,
    ControlLost,
    DrainAsked,
    Held,
    HungUp,
    Inbox,
    Replaced,
    Retrieved,
    TakenAway,
)
from parley.conversation.history import Exchange
from parley.conversation.journal import Journal
from parley.conversation.ports import CallAudio, CallLog, Clock, DigitHeard, PeerGone, Script
from parley.conversation.record import CallEnd, CallNote, CallStart, EndReason
from parley.conversation.resume_point import Resumption
from parley.conversation.settings import DialogueSettings, Engines

logger = logging.getLogger(__name__)


class SessionState(Enum):
    """How far a call has come."""

    OFFERED = "offered"
    ANSWERED = "answered"
    """The PBX has answered; the first word is not out yet."""
    TALKING = "talking"
    HANDING_OVER = "handing_over"
    """The conversation is over; the call runner carries out what comes next."""
    ENDED = "ended"


_NEXT: Mapping[SessionState, frozenset[SessionState]] = {
    SessionState.OFFERED: frozenset({SessionState.ANSWERED, SessionState.HANDING_OVER, SessionState.ENDED}),
    SessionState.ANSWERED: frozenset({SessionState.TALKING, SessionState.HANDING_OVER, SessionState.ENDED}),
    SessionState.TALKING: frozenset({SessionState.HANDING_OVER, SessionState.ENDED}),
    SessionState.HANDING_OVER: frozenset({SessionState.ENDED}),
    SessionState.ENDED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """How the conversation ended and what is to be done with the caller."""

    reason: EndReason
    then: Transfer | HangUp | GoOn | None
    """What the script wants. None: it had no say; a caller who is still there goes to the fallback queue."""
    result: FlowResult = field(default_factory=FlowResult)
    hangup_cause: HangupCause = HangupCause.UNKNOWN
    """Of a caller who hung up."""


@dataclass(frozen=True, slots=True)
class SessionLosses:
    """What the call's queues have not taken."""

    happenings: int
    """Events, hypotheses and the like that the dialogue was too slow for."""
    facts: int
    """Parts of the record."""


class CallSession:
    """See the module's docstring for its life. The call runner tells it what happens to the leg."""

    def __init__(
        self,
        start: CallStart,
        script: Script,
        engines: Engines,
        *,
        log: CallLog,
        clock: Clock,
        settings: DialogueSettings | None = None,
        resumption: Resumption | None = None,
    ) -> None:
        """Make the session of a call that is being offered now, or is taken up now.

        clock: tells how long after the offer things happened, and the time of the end.
        resumption: of a call that another process has begun; its leg is answered, its record begun.
        """
        self._start = start
        self._script = script
        self._engines = engines
        self._clock = clock
        self._settings = settings or DialogueSettings()
        self._resumption = resumption
        self._journal = Journal(log, start.call_id, 0 if resumption is None else resumption.passed_ms)
        self._offered_at = clock.monotonic()
        self._state = SessionState.OFFERED
        self._inbox = Inbox()
        self._audio: CallAudio | None = None
        self._prepared = asyncio.Event()
        self._dialogue: Dialogue | None = None

    @property
    def state(self) -> SessionState:
        """How far the call has come."""
        return self._state

    @property
    def exchanges(self) -> list[Exchange]:
        """The finished exchanges: of the agent's words only those that were heard."""
        return [] if self._dialogue is None else self._dialogue.history.exchanges

    @property
    def losses(self) -> SessionLosses:
        """What was lost so far."""
        return SessionLosses(self._inbox.dropped, self._journal.lost)

    # --- told by the call runner --------------------------------------------------------------------------

    async def prepared(self) -> None:
        """Wait until the greeting can begin at once, or `run()` is over. Cancelling: no effect."""
        await self._prepared.wait()

    def answered(self) -> None:
        """The PBX has answered (a call that is taken up: its audio is connected): the agent speaks from now on.

        Does nothing when the conversation ended just before. Raises IllegalTransition when told twice.
        """
        if self._state in (SessionState.HANDING_OVER, SessionState.ENDED):
            return
        self._enter(SessionState.ANSWERED)
        if self._resumption is None:
            point = None if self._dialogue is None else self._dialogue.resume_point
            self._journal.call_answered(round((self._clock.monotonic() - self._offered_at) * 1000), point)
        self._inbox.post(Answered())

    def caller_hung_up(self, cause: HangupCause) -> None:
        """The caller's leg has ended."""
        self._inbox.post(HungUp(cause))

    def caller_holds(self) -> None:
        """The caller has put us on hold: the conversation waits."""
        self._inbox.post(Held())

    def caller_retrieves(self) -> None:
        """The caller is back: the conversation goes on."""
        self._inbox.post(Retrieved())

    def caller_replaced(self, leg_id: str) -> None:
        """Another party has taken the caller's place, on this leg: the conversation goes on with it."""
        self._inbox.post(Replaced(leg_id))

    def caller_taken_away(self) -> None:
        """The PBX has moved the caller's leg elsewhere: it is not in our hands any more."""
        self._inbox.post(TakenAway())

    def control_lost(self) -> None:
        """Nobody tells us any more what happens to the leg: the conversation ends, and the caller is handed on."""
        self._inbox.post(ControlLost())

    def press(self, digit: str) -> None:
        """The caller pressed a key that the PBX reported."""
        if self._audio is not None:
            self._inbox.post(DigitHeard(digit, self._audio.position))

    def drain(self) -> None:
        """Parley stops: end the conversation now, so that the caller can be handed to the fallback queue."""
        self._inbox.post(DrainAsked())

    # --- the conversation ---------------------------------------------------------------------------------

    async def run(self, audio: CallAudio) -> SessionEnd:
        """Hold the conversation; returns when it is over.

        Its turns are committed by then if the call log takes no longer than `record_wait_ms` for them: the caller
        never waits for the record. What is late is committed meanwhile and by `close()`.
        audio: stays the caller's to close.   Engine failures end the conversation, they are not raised.
        Cancelling: everything is released, the last turn is lost; `close()` commits the others.
        """
        self._audio = audio
        self._begin_record()
        try:
            async with asyncio.TaskGroup() as tasks:
                end = await self._converse(audio, tasks)
            if not await self._journal.flush(self._settings.record_wait_ms / 1000):
                logger.warning("call log is slow, the caller is handed over before the record is complete")
        except asyncio.CancelledError:
            self._journal.stop()
            raise
        finally:
            self._prepared.set()
        if self._state is not SessionState.ENDED:
            self._enter(SessionState.HANDING_OVER)
        logger.info("conversation over", extra={"reason": end.reason.value})
        return SessionEnd(end.reason, end.then, self._script.result, end.hangup_cause)

    async def close(
        self,
        end: SessionEnd,
        *,
        reason: EndReason | None = None,
        transferred_to: str = "",
        hangup_cause: HangupCause | None = None,
        recording: str = "",
    ) -> None:
        """Complete the record, once the leg is gone or out of our hands: what is outstanding, then the end.

        Takes at most `record_deadline_ms`; facts that are not committed by then are reported as lost. May be called
        in every state: a conversation that still goes on ends; the second call does nothing.
        reason, hangup_cause: where the call runner knows better than `end` (a transfer that failed).
        Cancelling: what is outstanding is lost, and reported.
        """
        if self._state is SessionState.ENDED:
            return
        self._enter(SessionState.ENDED)
        if self._audio is None:
            self._begin_record()
        self._inbox.post(DrainAsked())
        result = end.result
        outcome = CallEnd(
            ended_at=self._clock.time(),
            reason=reason or end.reason,
            outcome=result.outcome,
            intent=result.intent,
            summary=result.summary,
            transferred_to=transferred_to,
            hangup_cause=int(end.hangup_cause if hangup_cause is None else hangup_cause),
            slots=result.slots,
            recording=recording,
        )
        await self._journal.close(outcome, self._settings.record_deadline_ms / 1000)

    # --- inside -------------------------------------------------------------------------------------------

    async def _converse(self, audio: CallAudio, tasks: asyncio.TaskGroup) -> DialogueEnd:
        """Hold the conversation. Whatever was started in `tasks` is told to stop on the way out."""
        self._dialogue = dialogue = Dialogue(
            audio,
            self._script,
            self._engines,
            journal=self._journal,
            inbox=self._inbox,
            tasks=tasks,
            settings=self._settings,
            resumption=self._resumption,
        )
        helpers = [
            tasks.create_task(self._follow(dialogue)),
            tasks.create_task(self._pass_on_events(audio)),
            tasks.create_task(dialogue.listening.run()),
        ]
        try:
            return await dialogue.run()
        finally:
            dialogue.close()
            for helper in helpers:
                helper.cancel()

    def _begin_record(self) -> None:
        if self._resumption is None:
            self._journal.call_started(self._start)
        else:
            self._journal.noted(CallNote("resumed", at_ms=0, details={"node": self._resumption.turn.node}))

    async def _follow(self, dialogue: Dialogue) -> None:
        """Tell how far the dialogue has come."""
        await dialogue.voice.prepared.wait()
        self._prepared.set()
        await dialogue.talking.wait()
        if self._state is SessionState.ANSWERED:
            self._enter(SessionState.TALKING)

    async def _pass_on_events(self, audio: CallAudio) -> None:
        """Post the audio's events; when they end, the audio is gone."""
        async for event in audio.events():
            self._inbox.post(event)
            if isinstance(event, PeerGone):
                return
        self._inbox.post(PeerGone("closed"))

    def _enter(self, state: SessionState) -> None:
        if state not in _NEXT[self._state]:
            raise IllegalTransition(f"a call session cannot go from {self._state.value} to {state.value}")
        logger.info("call session", extra={"state": state.value})
        self._state = state
