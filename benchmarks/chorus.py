"""How many callers one worker understands when all of them speak in the very same instant.

`python -m benchmarks.chorus [--callers 1 2 4 ...]` starts a worker as the node does, and lets N clients at once stream
an utterance of six digits each in real time. Judged: from the end of the audio to the final, what was lost, what the
worker used, and how long an answer about its health took meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.processes import family_of, usage_of
from benchmarks.recognition import spoken
from benchmarks.recognition_sets import ANSWERS, GRAMMARS, RATE_HZ, Utterance
from benchmarks.results import write_results
from parley.conversation.errors import EngineError
from parley.conversation.ports import RecognitionRequest
from parley.inference.client import RemoteRecognizer, open_channel
from parley.inference.worker_process import WorkerProcess

BLOCK_S = 0.06
ROUNDS = 3
PAUSE_S = 1.5
"""Between rounds, so that none starts in the wake of another."""
CALLERS = (1, 2, 4, 6, 8, 10, 12, 16, 20)
TARGET_MS = 150.0
"""What the recogniser may add to the answer at the 95th percentile."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one utterance."""

    said: str
    text: str
    final_ms: float
    """From the end of the audio to the final, or to the error."""
    error: str = ""
    """Code of the engine's error."""


@dataclass(frozen=True, slots=True)
class Chorus:
    """N utterances at once, several times."""

    callers: int
    heard: Sequence[Heard]
    cores: float
    """Mean number of cores that the worker kept busy while they spoke."""
    memory_mb: float
    health_ms: float
    """95th percentile of the answers of the health service."""

    def final_ms(self, percentile: float) -> float:
        """Return a percentile of the finals that came; infinite when none did."""
        finals = [one.final_ms for one in self.heard if not one.error]
        return float(np.percentile(finals, percentile)) if finals else float("inf")

    @property
    def lost(self) -> int:
        """How many got an error instead of a final."""
        return sum(1 for one in self.heard if one.error)

    @property
    def right(self) -> int:
        """How many were understood word by word."""
        return sum(1 for one in self.heard if one.text == one.said)


async def paced(pcm: bytes, start_s: float) -> AsyncGenerator[bytes]:
    """Yield blocks as a telephone line brings them: each when its last sample has been spoken."""
    size = int(RATE_HZ * BLOCK_S) * 2
    for number, first in enumerate(range(0, len(pcm), size), 1):
        await asyncio.sleep(max(0.0, start_s + number * BLOCK_S - time.monotonic()))
        yield pcm[first : first + size]


async def say(recognizer: RemoteRecognizer, said: str, pcm: bytes, start_s: float) -> Heard:
    """Say one utterance, beginning at `start_s`."""
    text = error = ""
    end_s = start_s + len(pcm) / 2 / RATE_HZ
    try:
        request = RecognitionRequest("en", RATE_HZ, grammar=GRAMMARS["digits"])
        async for hypothesis in recognizer.recognize(request, paced(pcm, start_s)):
            text = hypothesis.text if hypothesis.final else ""
    except EngineError as err:
        error = err.code
    return Heard(said, text, (time.monotonic() - end_s) * 1000, error)


async def watch_health(channel: grpc.aio.Channel, answers_ms: list[float]) -> None:
    """Ask for the worker's health ten times a second."""
    health = health_pb2_grpc.HealthStub(channel)
    while True:
        asked_s = time.monotonic()
        with suppress(grpc.aio.AioRpcError):
            await health.Check(health_pb2.HealthCheckRequest(), timeout=5.0)
        answers_ms.append((time.monotonic() - asked_s) * 1000)
        await asyncio.sleep(0.1)


async def chorus(
    channel: grpc.aio.Channel, pid: int, callers: int, texts: Sequence[str], speech: Sequence[bytes]
) -> Chorus:
    """Let so many callers speak at once, in several rounds with other texts each."""
    recognizer = RemoteRecognizer(channel)
    heard: list[Heard] = []
    answers_ms: list[float] = []
    cores: list[float] = []
    watching = asyncio.create_task(watch_health(channel, answers_ms))
    for number in range(ROUNDS):
        before = usage_of(*family_of(pid))
        start_s = time.monotonic() + 0.2
        chosen = [(number * callers + caller) % len(texts) for caller in range(callers)]
        heard += await asyncio.gather(*(say(recognizer, texts[one], speech[one], start_s) for one in chosen))
        after = usage_of(*family_of(pid))
        cores.append(after.cores_since(before))
        await asyncio.sleep(PAUSE_S)
    watching.cancel()
    await asyncio.wait([watching])
    health_ms = float(np.percentile(answers_ms, 95))
    return Chorus(callers, heard, float(np.mean(cores)), after.memory_mb, health_ms)


@asynccontextmanager
async def own_worker() -> AsyncIterator[tuple[grpc.aio.Channel, int]]:
    """Start a worker as the node does; give a channel to it, and its process id."""
    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        address = f"unix:{Path(folder) / 'worker.sock'}"
        command = [sys.executable, "-m", "parley.app.worker", f"--address={address}", "--child"]
        worker = WorkerProcess(command, address)
        running = asyncio.create_task(worker.run())
        try:
            await worker.wait_ready(60.0)
            async with open_channel(address) as channel:
                yield channel, worker.pid or 0
        finally:
            running.cancel()
            await asyncio.wait([running])


async def main() -> None:
    """Run it, print a table, write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, nargs="+", default=CALLERS)
    options = parser.parse_args()
    texts = [text.strip() for text in ANSWERS["digits"].split("|")]
    speech = [await spoken(Utterance("digits", "answer", text, ("flite", "rms"))) for text in texts]
    cases: list[dict[str, object]] = []
    print(f"{'callers':>8}{'p50 ms':>8}{'p95 ms':>8}{'lost':>8}{'right':>8}{'cores':>8}{'MB':>8}{'health ms':>11}")
    async with own_worker() as (channel, pid):
        for callers in options.callers:
            one = await chorus(channel, pid, callers, texts, speech)
            median, slow = one.final_ms(50), one.final_ms(95)
            print(
                f"{callers:8}{median:8.0f}{slow:8.0f}{one.lost:8}{one.right / len(one.heard):8.0%}{one.cores:8.2f}"
                f"{one.memory_mb:8.0f}{one.health_ms:11.0f}",
                flush=True,
            )
            met = slow <= TARGET_MS and not one.lost
            name = f"{callers} at once: "
            cases += [
                {"case": name + "final, p50", "value": round(median, 1), "unit": "ms"},
                {"case": name + "final, p95", "value": round(slow, 1), "unit": "ms", "target": TARGET_MS, "met": met},
                {"case": name + "lost", "value": one.lost, "unit": f"of {len(one.heard)}"},
                {"case": name + "cores busy", "value": round(one.cores, 2), "unit": "cores"},
                {"case": name + "memory", "value": round(one.memory_mb), "unit": "MB"},
                {"case": name + "health answer, p95", "value": round(one.health_ms, 1), "unit": "ms"},
            ]
    write_results("chorus", cases, "pocketsphinx", "grpcio")


if __name__ == "__main__":
    asyncio.run(main())
