"""Keys heard as tones, beside spandsp: hits on generated keys, false keys in speech, and cost."""

from __future__ import annotations

import csv
import ctypes
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from benchmarks.figures import Case, require
from benchmarks.recognition_sets import NOISES
from benchmarks.rounds import faster, race
from media_core import DtmfDetector, ulaw_decode, ulaw_encode
from tools import spandsp

RATE_HZ = 8000
PIECE = 2 * RATE_HZ
"""Octets handed over at once, one second: spandsp keeps 128 digits at most, and ctypes is hidden so."""
LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)
KEYPAD = "123A456B789C*0#D"
RECORDINGS = Path(__file__).parents[2] / "shared" / "audio"
SPEEDS = tuple(np.geomspace(0.7, 1.45, 25))
"""Recordings are played at these speeds, so that few voices make many pitches."""

Hear = Callable[[bytes], str]
Samples = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """Keys of one kind."""

    name: str
    keys: int = 200
    duration_ms: float = 60
    pause_ms: float = 60
    level_dbfs: float = -16
    twist_db: tuple[float, float] = (-4, 2)
    """High tone over low tone, between these."""
    offset: float = 0.01
    """Of the frequencies, up to this share."""
    snr_db: float = 30


LINES = (
    Line("good line", duration_ms=70, pause_ms=70, twist_db=(-2, 2), offset=0.0, snr_db=40),
    Line("shortest, Q.24", keys=400, duration_ms=40, pause_ms=40, twist_db=(-8, 4), offset=0.015),
    Line("weak high tone", duration_ms=50, pause_ms=50, twist_db=(-8, -6), offset=0.015),
    Line("strong high tone", duration_ms=50, pause_ms=50, twist_db=(3, 4), offset=0.015),
    Line("faint", duration_ms=50, pause_ms=50, level_dbfs=-36, snr_db=25),
    Line("loud", duration_ms=50, pause_ms=50, level_dbfs=-9, offset=0.015, snr_db=40),
    Line("noise at -15 dB", keys=400, duration_ms=50, pause_ms=50, snr_db=15),
    Line("noise at -12 dB", keys=400, snr_db=12),
    Line("noise at -10 dB", keys=400, snr_db=10),
)


def versions() -> dict[str, str]:
    """spandsp's version stands with the codecs'."""
    return {}


def cases() -> Iterator[Case]:
    """Yield hits, false keys and cost; nothing where spandsp is not to be had."""
    library = spandsp.load()
    if library is None:
        return
    ours, theirs = hear_ourselves, _spandsp(library)
    dialled = [dial(line) for line in LINES]
    hits = [_count_hits(hear, dialled) for hear in (ours, theirs)]
    wanted = sum(len(keys) for keys, _ in dialled)
    require(hits[0] >= hits[1], f"{hits[0]} keys heard, spandsp hears {hits[1]}")
    note = _by_line(ours, theirs, dialled)
    yield Case("DTMF: keys heard of the generated", hits[0], f"of {wanted}", "spandsp", hits[1], met=True, note=note)
    speech, said = talk()
    false = [sum(len(hear(pcm)) for pcm in speech) for hear in (ours, theirs)]
    require(false[0] <= false[1], f"{false[0]} keys heard in speech, spandsp hears {false[1]}")
    hours = sum(len(pcm) for pcm in speech) / (2 * RATE_HZ * 3600)
    note = f"{hours:.1f} h: {said}. Thresholds were chosen with recordings of this kind in sight"
    yield Case("DTMF: false keys in speech and noises", false[0], "keys", "spandsp", false[1], met=True, note=note)
    yield from cost_cases(ours, theirs, [pcm for _, pcm in dialled], speech)


def cost_cases(ours: Hear, theirs: Hear, keys: Sequence[bytes], speech: Sequence[bytes]) -> Iterator[Case]:
    """The whole detector on keys, and on speech, which most calls are."""
    for name, pcm in (("keys", b"".join(keys)), ("speech", b"".join(speech)[: 600 * PIECE])):
        frames = len(pcm) // 320
        times = race({"ours": partial(ours, pcm), "spandsp": partial(theirs, pcm)}, frames)
        yield faster(f"DTMF detector, 20 ms of {name}", times["ours"], "spandsp", times["spandsp"], 2)


def hear_ourselves(pcm: bytes) -> str:
    """Return the digits pressed."""
    detector = DtmfDetector(RATE_HZ)
    pieces = (pcm[start : start + PIECE] for start in range(0, len(pcm), PIECE))
    return "".join(edge.digit for piece in pieces for edge in detector.feed(piece) if edge.pressed)


def _spandsp(library: ctypes.CDLL) -> Hear:
    library.dtmf_rx_init.restype = ctypes.c_void_p
    library.dtmf_rx_init.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    library.dtmf_rx.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    library.dtmf_rx_get.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    library.dtmf_rx_get.restype = ctypes.c_size_t
    library.dtmf_rx_free.argtypes = (ctypes.c_void_p,)

    def hear(pcm: bytes) -> str:
        detector = library.dtmf_rx_init(None, None, None)
        digits = ctypes.create_string_buffer(129)
        heard = []
        for start in range(0, len(pcm), PIECE):
            piece = pcm[start : start + PIECE]
            library.dtmf_rx(detector, piece, len(piece) // 2)
            heard.append(digits.raw[: library.dtmf_rx_get(detector, digits, 128)].decode())
        library.dtmf_rx_free(detector)
        return "".join(heard)

    return hear


def dial(line: Line) -> tuple[str, bytes]:
    """Return random keys and how they sound on a µ-law line."""
    random = np.random.default_rng(7)
    keys = "".join(random.choice(list(KEYPAD), line.keys))
    parts: list[Samples] = [np.zeros(400)]
    for key in keys:
        parts += [_key(line, key, random), np.zeros(int(line.pause_ms * 8) + random.integers(0, 100))]
    sound = np.concatenate([*parts, np.zeros(400)])
    sound = sound + random.normal(0, 32768 * 10 ** ((line.level_dbfs - line.snr_db) / 20), len(sound))
    return keys, over_the_line(sound)


def _key(line: Line, key: str, random: np.random.Generator) -> Samples:
    place = KEYPAD.index(key)
    times = np.arange(int(line.duration_ms * 8)) / RATE_HZ
    low_hz, high_hz = LOW_HZ[place // 4], HIGH_HZ[place % 4]
    low_off, high_off = random.uniform(-line.offset, line.offset, 2)
    peak = 32768 * 10 ** (line.level_dbfs / 20) * np.sqrt(2)
    tilt = 10 ** (random.uniform(*line.twist_db) / 40)
    low = np.sin(2 * np.pi * low_hz * (1 + low_off) * times + random.uniform(0, 6))
    high = np.sin(2 * np.pi * high_hz * (1 + high_off) * times + random.uniform(0, 6))
    sound: Samples = peak * (low / tilt + high * tilt)
    return sound


def over_the_line(sound: Samples) -> bytes:
    """Code with µ-law and back."""
    return ulaw_decode(ulaw_encode(sound.round().clip(-32768, 32767).astype("<i2").tobytes()))


def _count_hits(hear: Hear, dialled: Sequence[tuple[str, bytes]]) -> int:
    return sum(_hits(keys, hear(pcm)) for keys, pcm in dialled)


def _hits(keys: str, heard: str) -> int:
    """Count the keys heard in their order."""
    matcher = SequenceMatcher(None, keys, heard, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())


def _by_line(ours: Hear, theirs: Hear, dialled: Sequence[tuple[str, bytes]]) -> str:
    missed = [
        f"{line.name} {len(keys) - _hits(keys, ours(pcm))}/{len(keys) - _hits(keys, theirs(pcm))}"
        for line, (keys, pcm) in zip(LINES, dialled, strict=True)
    ]
    return f"missed by us/spandsp: {', '.join(missed)}"


def talk() -> tuple[list[bytes], str]:
    """Return what holds no keys, and what it is: recordings where there are any, and noises."""
    noises = [
        over_the_line(3000 * noise / np.sqrt((noise**2).mean())) for noise in (make() for make in NOISES.values())
    ]
    recordings = list(_recordings())
    speech = [_at_speed(sound, rate_hz, speed) for sound, rate_hz in recordings for speed in SPEEDS]
    said = f"{len(recordings)} recordings at {len(SPEEDS)} speeds, " if recordings else "no recordings here, "
    return speech + noises, f"{said}{len(noises)} synthetic noises"


def _recordings() -> Iterator[tuple[Samples, int]]:
    manifest = RECORDINGS / "manifest.tsv"
    if not manifest.exists():
        return
    with manifest.open(newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file, delimiter="\t")]
    for path in paths:
        if path.startswith("voicemail/"):
            continue
        with wave.open(str(RECORDINGS / path)) as recorded:
            if recorded.getsampwidth() == 2 and recorded.getnchannels() == 1:
                pcm = np.frombuffer(recorded.readframes(recorded.getnframes()), "<i2")
                yield pcm / 32768.0, recorded.getframerate()


def _at_speed(sound: Samples, rate_hz: int, speed: float) -> bytes:
    played = soxr.resample(sound, rate_hz * speed, RATE_HZ, "HQ")
    loud = played[np.abs(played) > 0.05 * np.abs(played).max()]
    return over_the_line(played * 32768 * 10 ** (-18 / 20) / np.sqrt((loud**2).mean()))
