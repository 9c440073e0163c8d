"""The neural voice detector: what it tells apart, how soon, and what a call costs alone and among others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import voice_sets
from benchmarks.figures import Case
from benchmarks.recognition_sets import RATE_HZ
from benchmarks.rounds import race
from parley.conversation.listening import LEAD_IN_MS
from parley.conversation.ports import VoiceJudged
from parley.conversation.settings import BargeInSettings
from tools import voice_model

if TYPE_CHECKING:  # an extra: where it is missing there is nothing to measure
    from parley.engines.silero_model import SileroModel

BATCHES = (1, 8, 32)
CALLERS_AT_ONCE = (1, 8, 32, 100)
REPEATS = 20
LEAST_RECALL, LEAST_PRECISION = 0.95, 0.95
ENERGY_WAITS_MS = BargeInSettings().min_speech_ms
OPENED_AFTER_MS = 80
"""The energy detector opens a burst so long after its first sample, to a frame."""
VERDICT_WAIT_MS = ENERGY_WAITS_MS + BargeInSettings().confirm_ms - OPENED_AFTER_MS
"""From then on, to the moment from which energy decides alone."""


def versions() -> dict[str, str]:
    """Say what was measured."""
    try:
        return {"onnxruntime": version("onnxruntime")}
    except PackageNotFoundError:
        return {"onnxruntime": "not to be had"}


def cases() -> Iterator[Case]:
    """Yield the cases; none where the extra or its model is not there."""
    model = load()
    if model is None:
        return
    yield from _accuracy(model)
    yield from _costs(model)
    if not voice_sets.RECORDINGS.exists():
        return
    for callers in CALLERS_AT_ONCE:
        waits = sorted(asyncio.run(_waits_ms(model, callers)))
        late = waits[len(waits) * 95 // 100]
        target = f"≤ {VERDICT_WAIT_MS} ms"
        note = f"bursts of one ms, {LEAD_IN_MS} ms of lead-in each; wall clock, p50 {waits[len(waits) // 2]:.1f} ms"
        met = late <= VERDICT_WAIT_MS
        case = f"neural VAD: verdict, {callers} callers at once, p95"
        yield Case(case, round(late, 1), "ms", target=target, met=met, note=note)


def load() -> SileroModel | None:
    """Load the model; None where the extra or the model is not there."""
    path = voice_model.path()
    if path is None or versions()["onnxruntime"] == "not to be had":
        return None
    from parley.engines.silero_model import SileroModel  # noqa: PLC0415 - an extra

    return SileroModel(path)


def found_after_ms(model: SileroModel, burst: voice_sets.Burst) -> float | None:
    """Return how much of a burst the detector hears until it finds a voice in it; None where it finds none."""
    from parley.engines.burst_verdict import BurstVerdict  # noqa: PLC0415 - an extra
    from parley.engines.silero_model import CHUNK_SAMPLES, StreamMemory  # noqa: PLC0415

    samples = CHUNK_SAMPLES[RATE_HZ]
    memory = StreamMemory.empty(RATE_HZ)
    verdict = BurstVerdict(burst.start, RATE_HZ, 0.5)
    for at in range(0, len(burst.pcm) // 2 - samples + 1, samples):
        chunk = burst.pcm[2 * at : 2 * (at + samples)]
        [likely] = model.judge(RATE_HZ, [chunk], [memory])
        judged = verdict.take(burst.first + at + samples, likely)
        if judged is not None and judged.is_voice:
            return (judged.position - burst.start) * 1000 / RATE_HZ
    return None


def _accuracy(model: SileroModel) -> Iterator[Case]:
    voices = [found_after_ms(model, burst) for burst in voice_sets.spoken()]
    noises = [found_after_ms(model, burst) for burst in voice_sets.noises()]
    found = [ms for ms in voices if ms is not None]
    false = sum(ms is not None for ms in noises)
    if voices:
        in_time = sum(ms <= ENERGY_WAITS_MS for ms in found)
        yield _share("recall", len(found), len(voices), LEAST_RECALL, f"{in_time} before energy would interrupt")
        energy = len(voices) / (len(voices) + len(noises))
        note = f"{false} of {len(noises)} bursts of computed noises taken for voices; energy alone: {energy:.2f}"
        yield _share("precision", len(found), len(found) + false, LEAST_PRECISION, note)


def _share(what: str, count: int, of: int, least: float, note: str) -> Case:
    share = count / of
    text = f"{count} of {of} bursts, recorded speech over µ-law; {note}"
    return Case(f"neural VAD: {what}", round(share, 4), "share", target=f"≥ {least:g}", met=share >= least, note=text)


def _costs(model: SileroModel) -> Iterator[Case]:
    from parley.engines.silero_model import CHUNK_SAMPLES, StreamMemory  # noqa: PLC0415 - an extra

    random = np.random.default_rng(1)
    for rate_hz in CHUNK_SAMPLES:
        alone = 0.0
        for batch in BATCHES:
            noise = random.normal(0, 1000, (batch, CHUNK_SAMPLES[rate_hz])).astype("<i2")
            chunks, memories = [row.tobytes() for row in noise], [StreamMemory.empty(rate_hz) for _ in noise]
            work = lambda: model.judge(rate_hz, chunks, memories)  # noqa: B023, E731 - run within this round
            took = race({"silero": work}, batch)["silero"].median * 1e6
            alone = alone or took
            note = f"{alone / took:.1f} times cheaper than alone; {32000 / took:,.0f} open bursts on one core"
            yield Case(f"neural VAD, {rate_hz // 1000} kHz, 32 ms, {batch} at once", round(took, 1), "µs", note=note)


async def _waits_ms(model: SileroModel, callers: int) -> Sequence[float]:
    """Return how long each of so many callers waits for the verdict on a voice whose beginning comes all at once."""
    from parley.engines.silero_voice_detector import SileroVoiceDetector  # noqa: PLC0415 - an extra

    burst = next(burst for burst in voice_sets.spoken() if (found_after_ms(model, burst) or 1e3) < OPENED_AFTER_MS)
    heard = burst.pcm[: 2 * (burst.start - burst.first + RATE_HZ * OPENED_AFTER_MS // 1000)]
    detector = SileroVoiceDetector(model)
    waits: list[float] = []
    try:
        for _ in range(REPEATS):
            all_told = asyncio.Event()
            left = callers
            began = time.monotonic()

            def told(judged: VoiceJudged) -> None:
                nonlocal left
                left -= judged.is_voice
                waits.append((time.monotonic() - began) * 1000)  # noqa: B023 - run within this round
                if not left:
                    all_told.set()  # noqa: B023

            for _ in range(callers):
                detector.attend(RATE_HZ, burst.start, told).hear(burst.first, heard)
            async with asyncio.timeout(10):
                await all_told.wait()
    finally:
        detector.close()
    return waits
