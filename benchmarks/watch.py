"""Look at Asterisk, node and worker while calls go on: processor, memory, files, tasks, and the node's own counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import aiohttp
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.processes import Usage, Waits, children_running, family_of, usage_of, waits_of_machine
from tests.e2e.site import Node
from tests.support.asterisk import Asterisk

PARTS = ("asterisk", "node", "worker")
EVERY_S = 5.0
WARM_UP_S = 120.0
"""Until every recogniser process has heard a caller and touched its share of the model."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at everything."""

    usage: Mapping[str, Usage]
    """By part."""
    metrics: Mapping[str, float]
    """The node's metrics without buckets: `name` or `name{label}`, for those with one label."""
    waits: Waits = field(default_factory=Waits)

    @property
    def at_s(self) -> float:
        """By time.monotonic()."""
        return self.usage["node"].at_s

    @property
    def tasks(self) -> int:
        """Tasks of the node's event loop."""
        return int(self.metrics["parley_tasks"])

    @property
    def speech_cache_mb(self) -> float:
        """Speech that the node keeps in memory."""
        return self.metrics["parley_speech_cache_bytes"] / (1 << 20)


@dataclass(slots=True)
class Watch:
    """Looks, in order."""

    looks: list[Look] = field(default_factory=list)

    def cores(self, part: str) -> float:
        """Return the mean number of cores that a part kept busy from the first look to the last."""
        return self.looks[-1].usage[part].cores_since(self.looks[0].usage[part])

    def worst_waits(self) -> Sequence[str]:
        """Return, worst first, when the machine made its processes wait most, in s from the first look."""
        spans = [
            (later.waits.since(earlier.waits), later.at_s - self.looks[0].at_s)
            for earlier, later in pairwise(self.looks)
        ]
        spans.sort(key=lambda span: span[0].stolen_s + span[0].waited_s, reverse=True)
        return [f"until {at_s:.0f} s: {waits}" for waits, at_s in spans[:5]]

    def memory_mb(self, part: str) -> float:
        """Return the most memory that a part had."""
        return max(look.usage[part].memory_mb for look in self.looks)

    def growth_mb_per_min(self, part: str) -> float | None:
        """Return the slope of a part's memory over the second half of the looks.

        Of the processes that were there all that time: a recogniser that is first needed later adds its share of the
        model once. None when fewer than three looks came after WARM_UP_S: too few to tell. What the node's speech
        cache holds is left out: it has a bound of its own.
        """
        warm_s = self.looks[0].usage[part].at_s + WARM_UP_S if self.looks else 0.0
        looks = [look for look in self.looks[len(self.looks) // 2 :] if look.usage[part].at_s >= warm_s]
        if len(looks) < 3:
            return None
        lasting = set.intersection(*(set(look.usage[part].private_mb) for look in looks))
        times = [look.usage[part].at_s / 60 for look in looks]
        kept = [look.speech_cache_mb if part == "node" else 0.0 for look in looks]
        sizes = [sum(look.usage[part].private_mb[pid] for pid in lasting) for look in looks]
        slope, _ = np.polyfit(times, [size - mb for size, mb in zip(sizes, kept, strict=True)], 1)
        return float(slope)


async def look_at(pbx: Asterisk, node: Node) -> Look:
    """Look once."""
    pid = node.process.pid
    [worker] = children_running(pid, "parley.app.worker")
    usage = {"asterisk": usage_of(pbx.pid), "node": usage_of(pid), "worker": usage_of(*family_of(worker))}
    return Look(usage, await _metrics(node.process.http_port), waits_of_machine())


@asynccontextmanager
async def watching(pbx: Asterisk, node: Node, every_s: float = EVERY_S) -> AsyncIterator[Watch]:
    """Look again and again while the block runs."""
    watch = Watch()

    async def run() -> None:
        while True:
            watch.looks.append(await look_at(pbx, node))
            await asyncio.sleep(every_s)

    running = asyncio.create_task(run())
    try:
        yield watch
    finally:
        running.cancel()
        await asyncio.wait([running])
        watch.looks.append(await look_at(pbx, node))


def counted(before: Look, after: Look, name: str) -> float:
    """Return by how much one of the metrics has grown."""
    return after.metrics.get(name, 0.0) - before.metrics.get(name, 0.0)


async def _metrics(port: int) -> dict[str, float]:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        text = await answer.text()
    return dict(_samples(text))


def _samples(text: str) -> Sequence[tuple[str, float]]:
    return [
        (sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if len(sample.labels) <= 1 and "le" not in sample.labels
    ]
