"""8 to 16 to 8 kHz in frames of 20 ms, beside soxr and libsamplerate: cost, delay, images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import samplerate
import soxr

from benchmarks.figures import Case, require
from benchmarks.rounds import faster, race
from media_core import Resampler

Samples = npt.NDArray[np.int16]
Step = Callable[[Samples], Samples]

FRAME = 160
FRAMES = 200
IMAGE_TONES_HZ = (300, 1000, 2000, 3000, 3400)
LEAST_REJECTION_DB = 80.0
MOST_DELAY_MS = 2.0


def versions() -> dict[str, str]:
    """Say what the peers are."""
    return {"soxr": version("soxr"), "samplerate": version("samplerate")}


def ours(from_hz: int, to_hz: int) -> Step:
    """Our resampler on arrays, as the peers take them."""
    resampler = Resampler(from_hz, to_hz)
    return lambda pcm: np.frombuffer(resampler.process(pcm.tobytes()), np.int16)


def soxr_stream(quality: str, from_hz: int, to_hz: int) -> Step:
    """One direction of soxr."""
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="int16", quality=quality)
    step: Step = stream.resample_chunk
    return step


def libsamplerate(kind: str, from_hz: int, to_hz: int) -> Step:
    """One direction of libsamplerate, which works on floats."""
    converter = samplerate.Resampler(kind)
    ratio = to_hz / from_hz

    def step(pcm: Samples) -> Samples:
        converted = converter.process(pcm.astype(np.float32), ratio)
        return np.asarray(converted.round().clip(-32768, 32767), np.int16)

    return step


PEERS: Mapping[str, Callable[[int, int], Step]] = {
    "soxr HQ": partial(soxr_stream, "HQ"),
    "libsamplerate sinc_fastest": partial(libsamplerate, "sinc_fastest"),
    "libsamplerate sinc_medium": partial(libsamplerate, "sinc_medium"),
}


def cases() -> Iterator[Case]:
    """Yield images, delay and cost."""
    rejections = {hz: image_rejection_db(ours(8000, 16000), hz) for hz in IMAGE_TONES_HZ}
    worst = min(rejections.values())
    require(worst >= LEAST_REJECTION_DB, f"an image is only {worst:.1f} dB down: {rejections}")
    note = "; ".join(f"{hz} Hz {found:.0f} dB" for hz, found in rejections.items())
    yield Case(
        "8→16 kHz: worst image of 0.3 to 3.4 kHz", -round(worst, 1), "dB", target="≤ -80 dB", met=True, note=note
    )
    yield delay_case()
    yield from cost_cases()


def image_rejection_db(step: Step, tone_hz: int) -> float:
    """How far below a tone its image around 4 kHz is."""
    times = np.arange(16 * 8000) / 8000
    line = (0.5 * 32767 * np.sin(2 * np.pi * tone_hz * times)).round().astype(np.int16)
    doubled = np.concatenate([step(piece) for piece in np.split(line, len(line) // FRAME)]).astype(np.float64)
    middle = doubled[8000 : 8000 + 8 * 16000] * np.blackman(8 * 16000)
    spectrum = np.abs(np.fft.rfft(middle))
    wanted, image = (spectrum[8 * hz - 20 : 8 * hz + 21].max() for hz in (tone_hz, 8000 - tone_hz))
    return float(20 * np.log10(wanted / image))


def delay_case() -> Case:
    """How much later a click comes out of one direction, beyond what the frames themselves cost."""
    found = {name: added_delay_ms(make) for name, make in {"ours": ours, **PEERS}.items()}
    note = "one direction; " + "; ".join(f"{name} {delay:.1f} ms" for name, delay in found.items())
    return Case(
        "8→16 kHz: delay added",
        round(found["ours"], 2),
        "ms",
        "soxr HQ, handed out in bursts",
        round(found["soxr HQ"], 2),
        round(found["soxr HQ"] / found["ours"], 1),
        target=f"≤ {MOST_DELAY_MS:g} ms",
        met=found["ours"] <= MOST_DELAY_MS + 0.01,
        note=note,
    )


def added_delay_ms(make: Callable[[int, int], Step]) -> float:
    """Mean over clicks of the time from one to its peak coming out, less the time it waits for its frame's end."""
    added = []
    for place in range(8000, 8000 + FRAME * 4, 7):
        line = np.zeros(3 * 8000, np.int16)
        line[place] = 20000
        step = make(8000, 16000)
        out, ready = [], []
        for start in range(0, len(line), FRAME):
            piece = step(line[start : start + FRAME])
            out.append(piece)
            ready += [(start + FRAME) / 8000] * len(piece)
        peak = int(np.argmax(np.abs(np.concatenate(out).astype(np.int32))))
        handed_out = ready[peak] + (peak - ready.index(ready[peak])) / 16000 - FRAME / 8000
        added.append(handed_out - place / 8000)
    return float(np.mean(added)) * 1000


def cost_cases() -> Iterator[Case]:
    """Both directions, 20 ms each."""
    random = np.random.default_rng(1)
    times = np.arange(FRAME * FRAMES) / 8000
    speech = sum((np.sin(2 * np.pi * 120 * k * times) / k for k in range(1, 25)), np.zeros(len(times)))
    line = (4000 * speech * np.abs(np.sin(2 * np.pi * 2 * times)) + random.normal(0, 20, len(times))).astype(np.int16)
    arrays = np.split(line, FRAMES)
    frames = [array.tobytes() for array in arrays]
    up, down = Resampler(8000, 16000), Resampler(16000, 8000)

    def our_rounds() -> None:
        for frame in frames:
            down.process(up.process(frame))

    def rounds_of(make: Callable[[int, int], Step]) -> Callable[[], None]:
        there, back = make(8000, 16000), make(16000, 8000)

        def run() -> None:
            for array in arrays:
                back(there(array))

        return run

    times_of = race({"ours": our_rounds, **{name: rounds_of(make) for name, make in PEERS.items()}}, FRAMES)
    for name, least in (("soxr HQ", 5), ("libsamplerate sinc_fastest", 5), ("libsamplerate sinc_medium", 5)):
        yield faster("8→16→8 kHz, 20 ms both ways", times_of["ours"], name, times_of[name], least)
