"""A node without worker and disk record, on the real ARI adapter and an Asterisk in small."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ari_app import AriCallControl
from ari_app.backoff import Backoff
from parley.app.audio_lines import audio_lines
from parley.app.call_runner import Services
from parley.app.clock import SystemClock
from parley.app.metrics import Metrics
from parley.app.settings import load_settings
from parley.app.switchboard import Switchboard
from parley.app.whispers import Whispers
from parley.conversation.flow.loader import load_flow
from parley.conversation.record import CallEnd
from tests.ari_app.ari_server import PASSWORD, USERNAME
from tests.ari_app.small_pbx import SmallPbx
from tests.contract.benches import until
from tests.fakes.call_log import FakeCallLog
from tests.fakes.recognizer import FakeRecognizer
from tests.fakes.synthesizer import FakeSynthesizer

CALLER = "1.1"
LIMIT_S = 10.0


@dataclass(slots=True)
class AriNode:
    """What a test may look at."""

    pbx: SmallPbx
    control: AriCallControl
    switchboard: Switchboard
    log: FakeCallLog

    async def call(self, answered: bool = False) -> CallEnd:
        """Let a caller call and wait until that is over and recorded."""
        await self.pbx.offer(CALLER, "agent=reception", state="Up" if answered else "Ring")

        async def over() -> bool:
            return self.log.end is not None and not self.switchboard.active_calls

        assert await until(over, LIMIT_S), "the call does not end"
        assert self.log.end is not None
        return self.log.end

    async def caller_is_cared_for(self) -> bool:
        """Wait until the caller has gone, or has gone on in the dialplan; False for one who is kept for ever."""

        async def gone() -> bool:
            return CALLER not in self.pbx.subscribed and not await self.control.legs()

        return await until(gone, LIMIT_S)

    async def nothing_is_left(self) -> bool:
        """Wait until no media leg and no bridge of ours is left."""

        async def empty() -> bool:
            return not self.pbx.media and not self.pbx.rooms

        return await until(empty, LIMIT_S)


@asynccontextmanager
async def ari_node(folder: Path, flow: str, pbx: SmallPbx, deadline_s: float = 2.0) -> AsyncIterator[AriNode]:
    """Run a node on this Asterisk in small."""
    control = AriCallControl(
        *(pbx.url, USERNAME, PASSWORD),
        deadline_s=deadline_s,
        dead_man_s=0.6,
        retry_waits_s=(0.0, 0.0),
        backoff=Backoff(first_s=0.001, cap_s=0.001),
    )
    log = FakeCallLog()
    async with switchboard_on(control, folder, flow, log) as switchboard:

        async def asked_for_legs() -> bool:
            return len(pbx.asked("GET /channels")) >= 2

        # Legs that are there by now are taken for an earlier run's, and are given back.
        assert await until(asked_for_legs)
        yield AriNode(pbx, control, switchboard, log)


@asynccontextmanager
async def switchboard_on(
    control: AriCallControl, folder: Path, flow: str, log: FakeCallLog
) -> AsyncIterator[Switchboard]:
    """Start the adapter and run a switchboard on it, with one agent `reception` whose call script is `flow`."""
    (folder / "flow.yaml").write_text(flow, encoding="utf-8")
    (folder / "parley.toml").write_text(
        # Many nodes run at once in one process: not a thread for each.
        '[media]\nthread = false\n[agents.reception]\nflow = "flow.yaml"\nfallback_queue = "support"\n',
        encoding="utf-8",
    )
    settings = load_settings(folder / "parley.toml")
    synthesizer = FakeSynthesizer(ms_per_word=20)
    async with audio_lines(settings.media, None, calls=settings.limits.max_calls) as lines:
        switchboard = Switchboard(
            Services(
                settings=settings,
                control=control,
                lines=lines,
                recognizer=FakeRecognizer(),
                synthesizer=synthesizer,
                flows={"reception": load_flow(folder / "flow.yaml")},
                log=log,
                metrics=Metrics(),
                clock=SystemClock(),
                whispers=Whispers(settings.whispers_dir, synthesizer),
            )
        )
        switchboard.open()
        await control.start()
        serving = asyncio.create_task(switchboard.run())
        try:
            yield switchboard
        finally:
            await control.aclose()
            serving.cancel()
            await asyncio.wait([serving])
