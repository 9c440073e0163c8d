"""A node without PBX, worker and disk record: fakes behind every port but the audio, which is real loopback RTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from parley.app.audio_lines import AudioLines, audio_lines
from parley.app.call_runner import Services
from parley.app.clock import SystemClock
from parley.app.dialplan_arrivals import DialplanArrivals
from parley.app.metrics import Metrics
from parley.app.resume import claim_calls, prepare
from parley.app.settings import Settings, load_settings
from parley.app.switchboard import RECORDS_S, Switchboard
from parley.app.whispers import Whispers
from parley.call_control import LegId
from parley.conversation.flow.loader import load_flow
from parley.store import InterruptedCall
from tests.fakes.call_control import FakeCallControl, LegRecord
from tests.fakes.call_log import FakeCallLog
from tests.fakes.recognizer import FakeRecognizer
from tests.fakes.synthesizer import FakeSynthesizer

LIMIT_S = 10.0


@dataclass(slots=True)
class FakeNode:
    """What a test may look at."""

    control: FakeCallControl
    lines: AudioLines
    switchboard: Switchboard
    log: FakeCallLog
    synthesizer: FakeSynthesizer
    settings: Settings
    metrics: Metrics
    serving: asyncio.Task[None]
    """The switchboard's `run`."""

    async def until_gone(self, leg_id: LegId) -> LegRecord:
        """Wait until the leg is out of our hands and its call is over."""
        async with asyncio.timeout(LIMIT_S):
            while not self.control.record(leg_id).gone or self.switchboard.active_calls:
                await asyncio.sleep(0.005)
        return self.control.record(leg_id)

    async def until_answered(self, leg_id: LegId) -> None:
        """Wait until we have answered the leg and the conversation knows it (with one call at a time)."""
        async with asyncio.timeout(LIMIT_S):
            while not (self.control.record(leg_id).answered_by_us and self.answers_recorded):
                await asyncio.sleep(0.005)

    @property
    def answers_recorded(self) -> int:
        """How many answers the log has."""
        return sum(isinstance(fact, int) for fact in self.log.facts)


@asynccontextmanager
async def running_node(
    folder: Path,
    flow: str,
    extra_settings: str = "",
    log: FakeCallLog | None = None,
    control: FakeCallControl | None = None,
    interrupted: Sequence[InterruptedCall] = (),
    is_open: bool = True,
    arrivals_at: Callable[[FakeCallControl], DialplanArrivals] | None = None,
    records_s: float = RECORDS_S,
) -> AsyncIterator[FakeNode]:
    """Run a switchboard with one agent `reception` whose call script is `flow`.

    interrupted: calls that a dead process has left; those whose legs `control` has are taken up.
    arrivals_at: makes the way in for callers who bring their audio with them. records_s: see Switchboard.
    """
    log = log or FakeCallLog()
    control = control or FakeCallControl()
    (folder / "flow.yaml").write_text(flow, encoding="utf-8")
    (folder / "parley.toml").write_text(
        extra_settings + '\n[agents.reception]\nflow = "flow.yaml"\nfallback_queue = "support"\n', encoding="utf-8"
    )
    settings = load_settings(folder / "parley.toml")
    synthesizer = FakeSynthesizer(ms_per_word=20)
    flows = {"reception": load_flow(folder / "flow.yaml")}
    resumed = prepare(await claim_calls(control, interrupted), settings, flows)
    arrivals = None if arrivals_at is None else arrivals_at(control)
    async with audio_lines(settings.media, None, calls=settings.limits.max_calls) as lines:
        services = Services(
            settings=settings,
            control=control,
            lines=lines,
            recognizer=FakeRecognizer(),
            synthesizer=synthesizer,
            flows=flows,
            log=log,
            metrics=Metrics(),
            clock=SystemClock(),
            whispers=Whispers(settings.whispers_dir, synthesizer),
            arrivals=arrivals,
        )
        switchboard = Switchboard(services, records_s)
        if arrivals is not None:
            arrivals.open(switchboard.refusal_of)
        if is_open:
            switchboard.open()
        serving = asyncio.create_task(switchboard.run(resumed))
        try:
            yield FakeNode(control, lines, switchboard, log, synthesizer, settings, services.metrics, serving)
        finally:
            await control.aclose()
            serving.cancel()
            await asyncio.wait([serving])
