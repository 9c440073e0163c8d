"""Run one call: from the offered leg to its end or hand-over. The only place where a conversation meets the PBX.

The node makes a CallRunner per offered leg and passes on what the PBX says about that leg.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from audio_fork.audio_connection import AudioConnection
from audio_fork.errors import AudioForkError
from audio_fork.recording import StereoRecorder
from parley.app.audio_lines import AudioLine, AudioLines
from parley.app.audio_watch import until_unheard
from parley.app.call_arguments import CallArguments
from parley.app.call_results import ParleyStatus, result_variables
from parley.app.dialplan_arrivals import DialplanArrivals
from parley.app.logs import bind_call
from parley.app.metrics import Metrics
from parley.app.recordings import recording_path
from parley.app.resume import ResumedCall
from parley.app.settings import Settings
from parley.app.settings_tables import AgentSettings
from parley.app.voices import FILLERS, FallbackVoice, synthesizer_engine
from parley.app.whispers import Whispers
from parley.call_control import (
    CallControl,
    CallControlError,
    HangupCause,
    Leg,
    LegGone,
    LegId,
    LegState,
)
from parley.conversation.flow.flow import Flow
from parley.conversation.flow.run import FlowRun
from parley.conversation.flow.step import GoOn, HangUp, Line, Transfer
from parley.conversation.ports import CallLog, Clock, Recognizer, Synthesizer, VoiceDetector
from parley.conversation.record import CallStart, EndReason
from parley.conversation.session import CallSession, SessionEnd
from parley.conversation.settings import DialogueSettings, Engines

logger = logging.getLogger(__name__)

GONE_WITHIN_S = 0.3
"""When the audio ends by itself, the caller has usually hung up, or somebody has taken him elsewhere; the PBX says so
this much later at most."""
PREPARE_S = 3.0
"""How long the caller hears ringing while the greeting is made; then the call is answered all the same."""


@dataclass(frozen=True, slots=True)
class Services:
    """What every call of a node uses."""

    settings: Settings
    control: CallControl
    lines: AudioLines
    recognizer: Recognizer
    synthesizer: Synthesizer
    flows: Mapping[str, Flow]
    """By agent name."""
    log: CallLog
    metrics: Metrics
    clock: Clock
    whispers: Whispers
    voice_detector: VoiceDetector | None = None
    """None: the energy of a sound decides alone."""
    arrivals: DialplanArrivals | None = None
    """Where callers come from who have brought their audio connection with them; None where the site has no such."""


class CallRunner:
    """One call. `run()` serves it; the other methods pass on what the PBX says meanwhile."""

    def __init__(
        self,
        services: Services,
        call_id: str,
        leg: Leg,
        arguments: CallArguments,
        resumed: ResumedCall | None = None,
    ) -> None:
        """call_id: of the record, unique. arguments: as the dialplan passed them, checked.

        resumed: what is known of a call that another process has begun.
        """
        self.call_id = call_id
        self._services = services
        self._leg = leg
        self._arguments = arguments
        self._agent: AgentSettings = services.settings.agents[arguments.agent]
        self._flow = services.flows[arguments.agent]
        self._language = self._chosen_language()
        if resumed is None:
            self._start = self._new_start()
            self._script = FlowRun(self._flow, self._language, self._facts(), date.today(), self._agent.fallback_queue)
            self._recording_path = recording_path(services.settings, self._start)
        else:
            self._start, self._script, self._recording_path = resumed.start, resumed.script, resumed.recording
        self._session = CallSession(
            *(self._start, self._script, self._engines()),
            log=services.log,
            clock=services.clock,
            settings=DialogueSettings(max_hold_ms=round(services.settings.limits.max_hold_s * 1000)),
            resumption=resumed.resumption(services.clock.time()) if resumed else None,
        )
        self._resumed = resumed is not None
        """Its record is begun."""
        self._leg_is_ours = True
        self._done_with: LegId | None = None
        """The leg that is gone, or that was sent away."""
        self._held = False
        self._leg_gone = asyncio.Event()
        """It has ended, or it is elsewhere."""
        self._taken_away = False
        """By somebody else."""
        self._hung_up_first = False
        """The caller was gone when he was to be sent on."""
        self._answered = False
        self._recordings = list(resumed.recordings) if resumed else []
        """Where the recordings are; empty while there are none."""

    @classmethod
    def resuming(cls, services: Services, call: ResumedCall) -> CallRunner:
        """Make the runner of a call that another process has begun."""
        return cls(services, call.start.call_id, call.leg, call.arguments, call)

    @property
    def left_over(self) -> Leg | None:
        """The leg that has taken the place of the one that is gone or was sent away; after `run`, nobody serves it."""
        return None if self._leg.id == self._done_with else self._leg

    # --- told by the node ---------------------------------------------------------------------------------

    def press(self, digit: str) -> None:
        """The caller pressed a key."""
        self._session.press(digit)

    def leg_held(self) -> None:
        """The caller has put us on hold."""
        self._held = True
        self._session.caller_holds()

    def leg_retrieved(self) -> None:
        """The caller is back from hold."""
        self._held = False
        self._session.caller_retrieves()

    def leg_replaced(self, leg: Leg) -> None:
        """Another party has taken the caller's place: whatever comes later is for this leg."""
        logger.info("another party has taken the caller's place", extra={"new_leg_id": leg.id})
        self._leg = leg
        self._held = False
        self._session.caller_replaced(leg.id)

    def leg_gone(self, cause: HangupCause) -> None:
        """The leg has ended."""
        self._gone(self._leg.id, cause)

    def _gone(self, leg_id: LegId, cause: HangupCause) -> None:
        self._leg_is_ours, self._done_with = False, leg_id
        self._leg_gone.set()
        self._session.caller_hung_up(cause)

    def leg_left(self) -> None:
        """The PBX has taken the leg elsewhere, by our own request or by somebody else's."""
        self._taken_away = self._leg_is_ours
        self._leg_is_ours, self._done_with = False, self._leg.id
        self._leg_gone.set()
        self._session.caller_taken_away()

    def control_lost(self) -> None:
        """We are told nothing about the leg any more: hand the caller to the fallback queue now."""
        self._session.control_lost()

    def drain(self) -> None:
        """Parley stops: hand the caller to the fallback queue now."""
        self._session.drain()

    # --- the call -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the call; returns when it is out of our hands and recorded. Raises nothing but cancellation."""
        with bind_call(self.call_id, self._leg.id):
            try:
                await self._serve()
            except asyncio.CancelledError:
                raise
            except Exception:  # the call's outermost task: one call's fault must not end the others
                logger.exception("call failed")
                await self._rescue()
            finally:
                for queue, count in asdict(self._session.losses).items():
                    self._services.metrics.dropped(queue, count)

    async def _serve(self) -> None:
        try:
            line = self._open_line()
        except AudioForkError as err:
            logger.error("call cannot be taken up", extra={"code": err.code, "problem": str(err)})
            self._services.metrics.call_refused("audio")
            queue = await self._to_fallback_queue()
            if self._resumed:
                await self._session.close(SessionEnd(EndReason.FAILED, None), transferred_to=queue)
            return
        audio = line.audio
        async with AsyncExitStack() as stack:
            stack.callback(lambda: self._services.metrics.audio_ended(audio.stats()))
            recorder = self._prepare_recorder(audio.rate_hz, stack)
            stack.push_async_callback(audio.aclose)
            conversation = asyncio.create_task(self._session.run(audio), name=f"conversation {self.call_id}")
            stack.push_async_callback(_stopped, conversation)
            reason = await self._take_up(line)
            if recorder is not None and self._answered:
                audio.record_to(recorder)
                self._recordings.append(self._recording_path)
            if self._answered:
                watch = asyncio.create_task(self._watch(audio), name=f"audio watch {self.call_id}")
                stack.push_async_callback(_stopped, watch)
            end = await conversation
            if reason is None and end.reason is EndReason.PBX_LOST:
                reason = await self._what_became_of_the_caller()
            transferred_to = await self._hand_over(end) if reason is None else ""
        await self._session.close(
            end,
            reason=reason,
            transferred_to=transferred_to,
            recording="\n".join(map(str, self._recordings)),
        )

    async def _watch(self, audio: AudioConnection) -> None:
        """End the audio when the caller does not hear it any more: the dialplan takes the call."""
        await until_unheard(audio, self._services.control, self._leg.id, is_held=lambda: self._held)
        audio.fail("the PBX passes none of our audio on to the caller")

    async def _what_became_of_the_caller(self) -> EndReason | None:
        """Tell why the audio ended by itself, where the leg has ended or was taken elsewhere."""
        try:
            async with asyncio.timeout(GONE_WITHIN_S):
                await self._leg_gone.wait()
        except TimeoutError:
            return None
        return EndReason.TAKEN_AWAY if self._taken_away else EndReason.CALLER_HUNG_UP

    def _open_line(self) -> AudioLine:
        """Return our end of the call's audio: the one that the leg has come with, or a new one."""
        if self._leg.connection_id and self._services.arrivals is not None:
            return self._services.arrivals.line(self._leg.connection_id)
        return self._services.lines.open(self._leg.wideband)

    async def _rescue(self) -> None:
        """After a fault of ours: give the caller back, with nothing of the script that may have caused it."""
        if self._leg_is_ours:
            queue = self._agent.fallback_queue
            await self._send_on({"PARLEY_STATUS": ParleyStatus.FAILED, "PARLEY_TRANSFER_TO": queue})
        await self._session.close(SessionEnd(EndReason.FAILED, None))

    async def _take_up(self, line: AudioLine) -> EndReason | None:
        """Connect the audio, answer, let the greeting begin. Returns why the call ends instead, if it does."""
        control, leg = self._services.control, self._leg
        try:
            await control.attach_audio(leg.id, line.target, line.connect)
            async with asyncio.timeout(PREPARE_S) as patience:
                await self._session.prepared()
        except LegGone:
            self._gone(leg.id, HangupCause.NORMAL_CLEARING)
            return EndReason.CALLER_HUNG_UP
        except TimeoutError:
            if not patience.expired():
                raise
            logger.warning("the greeting is not ready in time; answering without it")
        except (CallControlError, AudioForkError) as err:
            return await self._give_up("call cannot be taken up", err)
        try:
            if leg.state is not LegState.ANSWERED:
                await control.answer(leg.id)
        except LegGone:
            self._gone(leg.id, HangupCause.NORMAL_CLEARING)
            return EndReason.CALLER_HUNG_UP
        except CallControlError as err:
            return await self._give_up("call cannot be answered", err)
        if self._leg_is_ours:
            self._answered = True
            self._session.answered()
        return None

    async def _give_up(self, what: str, err: CallControlError | AudioForkError) -> EndReason:
        """End the session before it began, and give the caller back to the dialplan.

        A caller who hangs up at this moment makes Asterisk fail in several ways: whether he is gone shows only now.
        """
        self._session.drain()
        await self._to_fallback_queue()
        if self._hung_up_first:
            return EndReason.CALLER_HUNG_UP
        logger.error(what, extra={"code": err.code, "problem": str(err)})
        return EndReason.FAILED

    async def _hand_over(self, end: SessionEnd) -> str:
        """Carry out what comes after the conversation; return where the caller was transferred."""
        if not self._leg_is_ours:
            return ""
        result = end.result
        match end.then:
            case Transfer() as transfer:
                variables = await self._transfer_variables(transfer)
                return transfer.destination if await self._let_go(ParleyStatus.TRANSFER, variables) else ""
            case HangUp(cause=cause):
                await self._hang_up(cause, result_variables(ParleyStatus.SERVED, result))
            case GoOn():
                await self._let_go(ParleyStatus.SERVED)
            case None:
                return await self._to_fallback_queue()
        return ""

    async def _to_fallback_queue(self) -> str:
        """Give the caller, whom we cannot serve, back to the dialplan; return the queue that is to take the call."""
        queue = self._agent.fallback_queue
        return queue if await self._let_go(ParleyStatus.FAILED, {"PARLEY_TRANSFER_TO": queue}) else ""

    async def _transfer_variables(self, transfer: Transfer) -> dict[str, str]:
        variables = {
            "PARLEY_TRANSFER_TO": transfer.destination,
            "PARLEY_TRANSFER_KIND": "number" if transfer.is_number else "queue",
        }
        if transfer.summary:
            variables["PARLEY_SUMMARY"] = transfer.summary
            variables["PARLEY_WHISPER"] = await self._services.whispers.write(
                self.call_id,
                transfer.summary,
                self._language,
                self._agent.voices.get(self._language, ""),
                synthesizer_engine(self._agent, self._language),
            )
        return variables

    async def _let_go(self, status: ParleyStatus, more: Mapping[str, str] | None = None) -> bool:
        """Let the dialplan go on with the result; return whether it does."""
        return await self._send_on({**result_variables(status, self._script.result), **(more or {})})

    async def _send_on(self, variables: Mapping[str, str]) -> bool:
        """Let the dialplan go on with these variables; return whether it does. A leg that is gone is no error."""
        self._leg_is_ours, self._done_with = False, self._leg.id
        try:
            await self._services.control.continue_in_dialplan(self._leg.id, variables)
        except LegGone:
            self._hung_up_first = True
            logger.info("the caller hung up before the hand-over")
        except CallControlError as err:
            logger.error(
                "the caller could not be handed over; the PBX's dead-man timer takes the call",
                extra={"code": err.code, "problem": str(err)},
            )
        else:
            return True
        return False

    async def _hang_up(self, cause: HangupCause, variables: Mapping[str, str]) -> None:
        self._leg_is_ours, self._done_with = False, self._leg.id
        try:
            await self._services.control.hangup(self._leg.id, cause, variables)
        except LegGone:
            logger.info("the caller hung up first")
        except CallControlError as err:
            logger.error("hang-up failed", extra={"code": err.code, "problem": str(err)})

    # --- what the call is made of -------------------------------------------------------------------------

    def _chosen_language(self) -> str:
        """Argument, else the agent's setting, else the flow's own first; one the flow lacks is passed over."""
        wanted = (self._arguments.language, self._agent.language)
        return next((language for language in wanted if language in self._flow.languages), self._flow.languages[0])

    def _facts(self) -> dict[str, str]:
        """What the flow may say of the call; the dialplan's `queue=` wins over the agent's fallback queue."""
        queue = {"queue": self._agent.fallback_queue} if self._agent.fallback_queue else {}
        return {
            **queue,
            **self._arguments.variables,
            "call_id": self.call_id,
            "ani": self._leg.ani,
            "dnis": self._leg.dnis,
        }

    def _new_start(self) -> CallStart:
        return CallStart(
            call_id=self.call_id,
            leg_id=self._leg.id,
            agent=self._arguments.agent,
            flow=self._flow.name,
            language=self._language,
            direction=self._leg.direction.value,
            ani=self._leg.ani,
            dnis=self._leg.dnis,
            started_at=self._services.clock.time(),
            node=self._services.settings.asterisk.application,
        )

    def _engines(self) -> Engines:
        return Engines(
            recognizer=self._services.recognizer,
            synthesizer=self._services.synthesizer,
            language=self._language,
            voice=self._agent.voices.get(self._language, ""),
            recognizer_engine=self._agent.recognizer,
            synthesizer_engine=synthesizer_engine(self._agent, self._language),
            voice_detector=self._services.voice_detector,
            fallback_synthesizer=FallbackVoice(self._services.synthesizer),
            fillers=(Line(FILLERS[self._language]),) if self._language in FILLERS else (),
        )

    def _prepare_recorder(self, rate_hz: int, stack: AsyncExitStack) -> StereoRecorder | None:
        """Return the recorder of this call, if the site wants one; it begins with the answer."""
        if not self._services.settings.recording.enabled:
            return None
        recorder = StereoRecorder(self._recording_path, rate_hz)
        stack.callback(lambda: self._services.metrics.dropped("recordings", int(recorder.failed)))
        stack.push_async_callback(recorder.aclose)
        return recorder


async def _stopped(task: asyncio.Task[Any]) -> None:
    """Cancel a task that is still running, and wait for it."""
    task.cancel()
    await asyncio.wait([task])
