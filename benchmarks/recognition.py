"""How well PocketSphinx tells answers from nonsense over the telephone, and what that costs.

`python -m benchmarks.recognition [--narrowband FOLDER] [--fit]` speaks the sets of recognition_sets.py with flite
and espeak-ng, sends them through a µ-law line with noise and has them judged. Half of the texts serve for tuning
(`--fit` prints weights for parley/engines/rejection.py), the other half for judging. Recordings in ../shared/audio
are judged, too, where they are.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import hashlib
import json
import platform
import time
import wave
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.recognition_sets import GRAMMARS, NOISES, RATE_HZ, Samples, Utterance, utterances
from media_core.g711 import ulaw_decode, ulaw_encode
from media_core.resampler import Resampler
from parley.conversation.ports import SpeechRequest
from parley.engines import catalogue
from parley.engines.acoustic_model import AcousticModel, narrowband_model, wideband_model
from parley.engines.listener import Finding, GrammarListener
from parley.engines.rejection import Evidence

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT.parent / "shared" / "audio"
BLOCK_BYTES = 1600
NAMES = [field.name for field in fields(Evidence)]


@dataclass(frozen=True, slots=True)
class Judged:
    """One utterance and what was made of it."""

    utterance: Utterance
    finding: Finding
    audio_s: float
    cpu_s: float
    final_s: float
    """From the end of the audio to the final."""

    @property
    def kept(self) -> bool:
        """Whether it was not rejected."""
        return not self.finding.hypothesis.rejected


def on_the_line(sound: Samples, seed: int) -> bytes:
    """Return what a telephone line makes of it: -25 to -16 dBFS, noise at -58 dBFS, pauses around it, µ-law."""
    random = np.random.default_rng(seed)
    loud = sound[np.abs(sound) > np.abs(sound).max() * 0.05]
    sound = sound * 10 ** (random.uniform(-25, -16) / 20) * 32768 / np.sqrt((loud**2).mean())
    sound = np.concatenate([np.zeros(RATE_HZ // 4), sound, np.zeros(RATE_HZ * 2 // 5)])
    sound = sound + random.normal(0, 10 ** (-58 / 20) * 32768, len(sound))
    return ulaw_decode(ulaw_encode(np.clip(sound, -32768, 32767).astype("<i2").tobytes()))


async def spoken(utterance: Utterance) -> bytes:
    """Return an utterance as it comes over the line."""
    seed = int(hashlib.md5(repr(utterance).encode()).hexdigest()[:8], 16)
    if utterance.speaker is None:
        return on_the_line(NOISES[utterance.text](), seed)
    engine, voice = utterance.speaker
    request = SpeechRequest(utterance.text, "en", voice, RATE_HZ)
    pcm = b"".join([chunk.pcm async for chunk in catalogue.synthesizer(engine).synthesize(request)])
    return on_the_line(np.frombuffer(pcm, "<i2").astype(np.float64), seed)


def judge(listener: GrammarListener, utterance: Utterance, pcm: bytes) -> Judged:
    """Have one utterance recognised in blocks of 100 ms."""
    cpu = time.process_time()
    listener.start(RATE_HZ, GRAMMARS[utterance.grammar])
    for start in range(0, len(pcm), BLOCK_BYTES):
        listener.hear(pcm[start : start + BLOCK_BYTES])
    ended = time.perf_counter()
    finding = listener.finish()
    return Judged(utterance, finding, len(pcm) / 2 / RATE_HZ, time.process_time() - cpu, time.perf_counter() - ended)


def recordings() -> Iterator[tuple[Utterance, bytes]]:
    """Yield recorded digits as answers, and 3 s pieces of read sentences as nonsense."""
    manifest = RECORDINGS / "manifest.tsv"
    if not manifest.exists():
        return
    digits = {*["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]}
    with manifest.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            kind, _, name = row["path"].partition("/")
            if kind == "alphanumeric" and row["text"] in digits:
                yield Utterance("digit", "answer", row["text"]), _recorded(RECORDINGS / row["path"])
            if kind in ("ljspeech", "librivox"):
                pcm = _recorded(RECORDINGS / row["path"])[: 3 * 2 * RATE_HZ]
                for grammar in ("yes_no", "digits", "intent"):
                    yield Utterance(grammar, "nonsense", name), pcm


def _recorded(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        resampler = Resampler(file.getframerate(), RATE_HZ) if file.getframerate() != 22050 else Resampler(22050, 8000)
        pcm = resampler.process(file.readframes(file.getnframes())) + resampler.flush()
    return on_the_line(np.frombuffer(pcm, "<i2").astype(np.float64), len(pcm))


def rates(judged: Sequence[Judged]) -> dict[str, float]:
    """Return the shares of answers kept and understood exactly, and of the others rejected."""
    answers = [one for one in judged if one.utterance.kind == "answer"]
    shares: dict[str, float | None] = {
        "answers kept": _share(one.kept for one in answers),
        "answers exact": _share(one.finding.hypothesis.text == one.utterance.text for one in answers),
    }
    for kind in ("nonsense", "noise"):
        shares[f"{kind} rejected"] = _share(not one.kept for one in judged if one.utterance.kind == kind)
    shares["all nonsense rejected"] = _share(not one.kept for one in judged if one.utterance.kind != "answer")
    return {name: share for name, share in shares.items() if share is not None}


def _share(values: Iterable[bool]) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def fit(judged: Sequence[Judged], kept: float) -> str:
    """Return the Judge that a logistic regression (L2 0.5 on standardised evidence) makes, as source.

    Its threshold lies where `kept` of the answers are above it.
    """
    known = [one for one in judged if one.finding.evidence is not None]
    evidence = np.array([[getattr(one.finding.evidence, name) for name in NAMES] for one in known])
    answer = np.array([one.utterance.kind == "answer" for one in known])
    mean, scale = evidence.mean(axis=0), evidence.std(axis=0) + 1e-9
    inputs = np.c_[(evidence - mean) / scale, np.ones(len(known))]
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        belief = 1 / (1 + np.exp(-inputs @ weights))
        curvature = (inputs * (belief * (1 - belief))[:, None]).T @ inputs + 0.5 * np.eye(len(weights))
        weights += np.linalg.solve(curvature, inputs.T @ (answer - belief) - 0.5 * weights)
    raw = weights[:-1] / scale
    threshold = 1 / (1 + np.exp(-np.quantile((inputs @ weights)[answer], 1 - kept)))
    listed = ", ".join(f"{name}={weight:.3f}" for name, weight in zip(NAMES, raw, strict=True))
    return f"Judge(Evidence({listed}), bias={weights[-1] - raw @ mean:.3f}, threshold={threshold:.2f})"


async def main() -> None:
    """Run it and print a table; the figures go to build/bench/recognition.json, too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--narrowband", type=Path, help="folder of an 8 kHz acoustic model")
    parser.add_argument("--fit", action="store_true", help="print weights tuned on the tuning half")
    parser.add_argument("--list", action="store_true", help="print every wrong judgement")
    options = parser.parse_args()
    model: AcousticModel = narrowband_model(options.narrowband) if options.narrowband else wideband_model()
    listener = GrammarListener(model)
    judged = [judge(listener, utterance, await spoken(utterance)) for utterance in utterances()]
    recorded = [judge(listener, utterance, pcm) for utterance, pcm in recordings()]
    if options.fit:
        print(fit([one for one in judged if one.utterance.tuning], kept=0.99))
    if options.list:
        for one in judged + recorded:
            if one.kept != (one.utterance.kind == "answer"):
                print(one.utterance, one.finding)
    report(judged, recorded)


def report(judged: Sequence[Judged], recorded: Sequence[Judged]) -> None:
    """Print the figures and write them down."""
    halves = {
        "tuned on": [one for one in judged if one.utterance.tuning],
        "judged": [one for one in judged if not one.utterance.tuning],
        "recordings": list(recorded),
    }
    targets = {"answers kept": 0.95, "all nonsense rejected": 0.8}
    cases: list[dict[str, object]] = []
    for half, ones in halves.items():
        for name, value in rates(ones).items():
            met = value >= targets[name] if half == "judged" and name in targets else None
            cases.append({"case": f"{half}: {name}", "value": round(value, 3), "unit": "share", "met": met})
    rtf = sum(one.cpu_s for one in judged) / sum(one.audio_s for one in judged)
    final_ms = 1000 * float(np.percentile([one.final_s for one in judged], 95))
    cases.append({"case": "real-time factor", "value": round(rtf, 3), "unit": "", "target": 0.2, "met": rtf <= 0.2})
    cases.append({"case": "final after end, p95", "value": round(final_ms, 1), "unit": "ms"})
    for case in cases:
        print(f"{case['case']:40} {case['value']:>8} {case['unit']} {case.get('met', '')}")
    out = ROOT / "build" / "bench" / "recognition.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    versions = {"python": platform.python_version(), "pocketsphinx": version("pocketsphinx")}
    out.write_text(json.dumps({"machine": platform.platform(), "versions": versions, "cases": cases}, indent=1))


if __name__ == "__main__":
    asyncio.run(main())
