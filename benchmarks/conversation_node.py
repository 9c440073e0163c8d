"""A node that holds conversations with the callers of rtp_generator.c; its engines are canned, and there is no PBX.

`python -m benchmarks.conversation_node CALLS CORE PEER_PORT`, run by `rtp_load`. In it: the media engine, `RtpAudio`,
the switchboard, a call runner, session, dialogue and run of the flow `steady` for each call, and the record in SQLite,
on uvloop as in `parley serve`. Not in it: the adapter to a PBX (a fake offers and answers the legs), and the worker,
that is gRPC, recognition and synthesis: whatever was said is heard as six digits at once, whatever is to be said is one
sound.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from benchmarks.rtp_servers import LONGEST_LIFE_S, caller, say
from parley.app.audio_lines import RtpLines, audio_lines
from parley.app.call_runner import Services
from parley.app.clock import SystemClock
from parley.app.metrics import Metrics
from parley.app.observed_call_log import ObservedCallLog
from parley.app.patient_call_log import PatientCallLog
from parley.app.settings import load_settings
from parley.app.switchboard import Switchboard
from parley.app.whispers import Whispers
from parley.call_control import AudioPeer, AudioTarget, RtpPeer, RtpTarget
from parley.conversation.flow.loader import load_flow
from parley.conversation.ports import Hypothesis, RecognitionRequest, SpeechChunk, SpeechRequest
from parley.store import CallArchive, Database, SqlCallLog
from tests.fakes.call_control import FakeCallControl
from tests.support.speech import caller_says

FLOW = Path(__file__).parent / "flows" / "steady" / "flow.yaml"
NUMBER = "four seven one five zero eight"
SENTENCE_MS = 900
CHUNK_OCTETS = 3200
"""200 ms."""
ARRIVALS_S = 0.01
"""From one call to the next."""
ANSWERED_S = 60.0
SETTINGS = """\
data_dir = "data"

[asterisk]
url = "http://127.0.0.1:9"

[media]
host = "127.0.0.1"
cores = [{core}]

[limits]
max_calls = {calls}

[agents.steady]
flow = "{flow}"
fallback_queue = "support"
"""


class CannedRecognizer:
    """Hears the same number in whatever is said, as soon as it has been said."""

    async def recognize(self, request: RecognitionRequest, audio: AsyncIterator[bytes]) -> AsyncIterator[Hypothesis]:
        """Yield the final."""
        del request
        async for _ in audio:
            pass
        yield Hypothesis(NUMBER, final=True, confidence=0.9)


class CannedSynthesizer:
    """Says the same sound for whatever is to be said."""

    def __init__(self) -> None:
        pcm = caller_says("You said four seven one, five zero eight.", "slt")
        self._pcm = pcm[: SENTENCE_MS * 16]

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        """Yield it in pieces."""
        del request
        for start in range(0, len(self._pcm), CHUNK_OCTETS):
            yield SpeechChunk(self._pcm[start : start + CHUNK_OCTETS])


class GeneratorControl(FakeCallControl):
    """Call control whose legs' audio is that of the generator's callers."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._connected_calls = 0
        self.media_port = 0
        """Where all legs send to; 0 before the first."""

    def audio_peer(self, target: AudioTarget) -> AudioPeer:
        """Name the next caller's address."""
        if not isinstance(target, RtpTarget):
            return super().audio_peer(target)
        self.media_port = target.port
        peer = RtpPeer(caller(self._connected_calls), self._port, target.codec)
        self._connected_calls += 1
        return peer


async def serve(calls: int, core: int, port: int, folder: Path) -> None:
    """Take up the calls, converse until the input ends, report."""
    (folder / "parley.toml").write_text(SETTINGS.format(core=core, calls=calls, flow=FLOW), encoding="utf-8")
    settings = load_settings(folder / "parley.toml")
    control, synthesizer, metrics = GeneratorControl(port), CannedSynthesizer(), Metrics()
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.database_url)
        stack.push_async_callback(database.aclose)
        lines = await stack.enter_async_context(audio_lines(settings.media, None, calls=calls))
        services = Services(
            settings=settings,
            control=control,
            lines=lines,
            recognizer=CannedRecognizer(),
            synthesizer=synthesizer,
            flows={"steady": load_flow(FLOW)},
            log=ObservedCallLog(PatientCallLog(SqlCallLog(database), metrics), metrics),
            metrics=metrics,
            clock=SystemClock(),
            whispers=Whispers(settings.whispers_dir, synthesizer),
        )
        switchboard = Switchboard(services)
        switchboard.open()
        serving = asyncio.create_task(switchboard.run())
        if not isinstance(lines, RtpLines):
            raise RuntimeError("the node has no RTP")
        report = await _converse(calls, control, switchboard, lines)
        await control.aclose()
        serving.cancel()
        await asyncio.wait([serving])
        records = await CallArchive(database).recent(calls)
    say(**report, records=len(records))


async def _converse(
    calls: int, control: GeneratorControl, switchboard: Switchboard, lines: RtpLines
) -> dict[str, float]:
    """Let the callers come, and look at what the node does between two lines of the input."""
    loop = asyncio.get_running_loop()
    inputs: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(sys.stdin, lambda: inputs.put_nowait(os.read(sys.stdin.fileno(), 64)))
    for _ in range(calls):
        control.caller_arrives("agent=steady")
        await asyncio.sleep(ARRIVALS_S)
    async with asyncio.timeout(ANSWERED_S):
        while sum(record.answered_by_us for record in control.records.values()) < calls:
            await asyncio.sleep(0.05)
    [engine] = lines.engines
    say(ports=[control.media_port])
    await inputs.get()
    before, process_s, late = engine.stats(), time.process_time(), _LateLoop(loop)
    await inputs.get()
    after, process_s = engine.stats(), time.process_time() - process_s
    late_s = late.stop()
    await inputs.get()
    loop.remove_reader(sys.stdin)
    stats = engine.stats()
    return {
        "heard": stats.received - stats.strangers,
        "active": switchboard.active_calls,
        "cpu_s": after.cpu_s - before.cpu_s,
        "process_s": process_s,
        "seconds": (after.ticks - before.ticks) * 0.002,
        "late_ms_p99": engine.lateness_s(0.99) * 1000,
        "dropped_events": stats.dropped_events,
        "loop_late_ms_p99": late_s * 1000,
    }


class _LateLoop:
    """How late an event loop runs what is due, looked at every 20 ms."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lateness_s: list[float] = []
        self._due_s = loop.time() + 0.02
        self._timer = loop.call_at(self._due_s, self._look)

    def _look(self) -> None:
        self._lateness_s.append(self._loop.time() - self._due_s)
        self._due_s = self._loop.time() + 0.02
        self._timer = self._loop.call_at(self._due_s, self._look)

    def stop(self) -> float:
        """End, and return the 99th percentile in seconds."""
        self._timer.cancel()
        return sorted(self._lateness_s)[int(len(self._lateness_s) * 0.99)]


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("calls", "core", "port"):
        parser.add_argument(name, type=int)
    options = parser.parse_args()
    signal.alarm(LONGEST_LIFE_S)
    with (
        tempfile.TemporaryDirectory(prefix="parley-bench-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(serve(options.calls, options.core, options.port, Path(folder)))


if __name__ == "__main__":
    main()
