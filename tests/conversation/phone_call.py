"""One call in virtual time: the test is caller, phone, PBX and clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from parley.call_control import HangupCause
from parley.conversation.flow.step import AnswerKind, HangUp, KeyPlan, Line, Listen, Next, Step, Transfer
from parley.conversation.ports import Script, Synthesizer, VoiceDetector
from parley.conversation.record import CallStart
from parley.conversation.resume_point import Resumption
from parley.conversation.session import CallSession, SessionEnd
from parley.conversation.settings import DialogueSettings, Engines
from tests.fakes.call_audio import FakeCallAudio, settle
from tests.fakes.call_log import FakeCallLog
from tests.fakes.clock import FakeClock
from tests.fakes.recognizer import FakeRecognizer, Hears
from tests.fakes.script import FakeScript
from tests.fakes.synthesizer import FakeSynthesizer

START = CallStart(
    call_id="call-1",
    leg_id="leg-1",
    agent="reception",
    flow="appointment",
    language="en",
    direction="inbound",
    ani="+15550100",
    dnis="100",
    started_at=1_700_000_000.0,
)


def asks(
    text: str,
    *,
    node: str = "question",
    kind: AnswerKind = AnswerKind.CHOICE,
    keys: KeyPlan | None = None,
    interruptible: bool = True,
    no_input_ms: int = 3000,
    max_speech_ms: int = 15000,
) -> Step:
    """Say one line, then listen."""
    listen = Listen(
        node=node, kind=kind, grammar="#JSGF", keys=keys, no_input_ms=no_input_ms, max_speech_ms=max_speech_ms
    )
    return Step((Line(text, interruptible=interruptible),) if text else (), listen)


def says(text: str, then: Next | None = None) -> Step:
    """Say one line, then hang up (or do what `then` says)."""
    return Step((Line(text),), then or HangUp())


class PhoneCall:
    """A session and everything around it; see `talking()`."""

    def __init__(
        self,
        *steps: Step,
        hears: tuple[Hears | str, ...],
        synthesizer: Synthesizer | None,
        fallback: Synthesizer | None,
        fillers: tuple[Line, ...],
        log: FakeCallLog | None,
        settings: DialogueSettings | None,
        clock: FakeClock,
        script: Script | None,
        resumption: Resumption | None,
        voice_detector: VoiceDetector | None,
    ) -> None:
        """Offer the call, or let it be taken up."""
        self.clock = clock
        self.audio = FakeCallAudio(each_frame=clock.wind, hangover_ms=140)
        self.recognizer = FakeRecognizer(*hears, clock=clock)
        self.synthesizer = FakeSynthesizer(clock=clock)
        self.script = FakeScript(*steps)
        """Used unless another script was given."""
        self.log = log or FakeCallLog(clock=clock)
        engines = Engines(
            self.recognizer,
            synthesizer or self.synthesizer,
            voice_detector=voice_detector,
            fallback_synthesizer=fallback,
            fillers=fillers,
        )
        self.session = CallSession(
            *(START, script or self.script, engines),
            log=self.log,
            clock=clock,
            settings=settings,
            resumption=resumption,
        )
        self.running = asyncio.create_task(self.session.run(self.audio))

    @property
    def told(self) -> list[str]:
        """What the script was told, texts only."""
        return [told if isinstance(told, str) else told.text for told in self.script.told]

    @property
    def heard(self) -> list[str]:
        """What the caller heard, finished turns only."""
        return [exchange.agent for exchange in self.session.exchanges]

    @property
    def over(self) -> bool:
        """Whether the conversation is over."""
        return self.running.done()

    @property
    def silent(self) -> bool:
        """Whether nothing is being played."""
        return self.audio.queued_samples == 0

    async def answered(self) -> None:
        """Answer the call once the greeting is prepared."""
        await settle()
        self.session.answered()
        await settle()

    async def passes(self, ms: int) -> None:
        """Let time pass."""
        await self.audio.advance(ms)

    async def until_silent(self, limit_ms: int = 60_000) -> None:
        """Let the agent say all that it has to say."""
        await self.passes(60)
        await self.audio.advance_until(lambda: self.silent, limit_ms)
        await self.passes(20)

    async def speaks(self, ms: int, *, pause_ms: int = 0) -> None:
        """Let the caller speak from now on for this long, and time pass with it."""
        start = self.audio.position_ms
        self.audio.caller_speaks(start, start + ms)
        await self.passes(ms + pause_ms)

    async def until_over(self, limit_ms: int = 60_000) -> SessionEnd:
        """Let time pass until the conversation is over."""
        await self.audio.advance_until(lambda: self.over, limit_ms)
        return self.running.result()

    async def holds(self) -> None:
        """Let the caller put us on hold."""
        self.session.caller_holds()
        await settle()

    async def retrieves(self) -> None:
        """Let the caller come back from hold."""
        self.session.caller_retrieves()
        await settle()

    async def is_replaced(self) -> None:
        """Let another party take the caller's place."""
        self.session.caller_replaced("leg-2")
        await settle()

    async def hang_up(self) -> SessionEnd:
        """Let the caller hang up."""
        self.session.caller_hung_up(HangupCause.NORMAL_CLEARING)
        await settle()
        return self.running.result()


@asynccontextmanager
async def offering(
    *steps: Step,
    hears: tuple[Hears | str, ...] = (),
    synthesizer: Synthesizer | None = None,
    fallback: Synthesizer | None = None,
    fillers: tuple[Line, ...] = (),
    log: FakeCallLog | None = None,
    settings: DialogueSettings | None = None,
    clock: FakeClock | None = None,
    script: Script | None = None,
    resumption: Resumption | None = None,
    voice_detector: VoiceDetector | None = None,
) -> AsyncGenerator[PhoneCall]:
    """Offer a call; at the end it is hung up if it is not over, and nothing of it may be left running."""
    call = PhoneCall(
        *steps,
        hears=hears,
        synthesizer=synthesizer,
        fallback=fallback,
        fillers=fillers,
        log=log,
        settings=settings,
        clock=clock or FakeClock(),
        script=script,
        resumption=resumption,
        voice_detector=voice_detector,
    )
    try:
        await settle()
        yield call
        if not call.over:
            await call.hang_up()
        await settle()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"the call left tasks behind: {left}"
        assert call.recognizer.open == 0, "an utterance still holds the recogniser"
        assert call.synthesizer.open == 0, "a sentence still holds the synthesiser"
    finally:
        call.running.cancel()


@asynccontextmanager
async def talking(
    *steps: Step,
    hears: tuple[Hears | str, ...] = (),
    synthesizer: Synthesizer | None = None,
    fallback: Synthesizer | None = None,
    fillers: tuple[Line, ...] = (),
    log: FakeCallLog | None = None,
    settings: DialogueSettings | None = None,
    clock: FakeClock | None = None,
    script: Script | None = None,
    voice_detector: VoiceDetector | None = None,
) -> AsyncGenerator[PhoneCall]:
    """Offer a call and answer it."""
    async with offering(
        *steps,
        hears=hears,
        synthesizer=synthesizer,
        fallback=fallback,
        fillers=fillers,
        log=log,
        settings=settings,
        clock=clock,
        script=script,
        voice_detector=voice_detector,
    ) as call:
        await call.answered()
        yield call


QUEUE = Transfer("sales", summary="Wants an appointment.")
