"""Decide from sound alone what was heard, when, and when nobody spoke.

"Heard" means a normalised cross-correlation of at least 0.5 with what was said, "not heard" one below 0.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.support.phone_codec import Samples
from tests.support.recording import RATE_HZ, Recording

HEARD = 0.5
NOT_HEARD = 0.1

_PRE_EMPHASIS = 0.95
"""Flattens speech, so that two voices do not correlate by their common low tones."""
_PIECE_SAMPLES = 2000
_SLIP_SAMPLES = 800
"""How far a piece may lie from where the whole says: a jitter buffer's doing."""
_CLEAR_MATCH = 0.6
_QUIET_PIECE = 0.02
"""Pieces with less than this share of the loudest one's energy are pauses."""
_WINDOW_SAMPLES = 80
_SPEECH_DBFS = -45.0

Signal = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of a reference is in a recording, and where."""

    correlation: float
    """0 to 1."""
    offset_ms: float
    """Of the reference's first sample, from the start of what was searched."""

    @property
    def clearly(self) -> bool:
        """Tell whether it counts as heard."""
        return self.correlation >= HEARD

    @property
    def not_at_all(self) -> bool:
        """Tell whether it counts as not heard."""
        return self.correlation < NOT_HEARD


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, in seconds on the recording's line."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Duration."""
        return self.end_s - self.start_s


def heard(recording: bytes | Samples, reference: bytes | Samples) -> Heard:
    """Look for the reference in the recording (both 8 kHz); references of 1.5 s and more tell reliably.

    The best place of the whole is found first. There the reference's pieces of 250 ms are compared one by one; a
    piece that clearly lies up to 100 ms beside its place counts there, so that one lost packet does not hide
    what follows. The result is the median over the pieces, or their mean weighted by energy where that is lower:
    a single word in common is no match, nor are many quiet ones.
    """
    line, sought = _flattened(recording), _flattened(reference)
    if not np.any(sought) or not np.any(line):
        return Heard(0.0, 0.0)
    line = np.concatenate([np.zeros(_SLIP_SAMPLES), line, np.zeros(len(sought) + _SLIP_SAMPLES)])
    best = int(np.argmax(_correlations(line, sought)))
    found, energies = [], []
    for start in range(0, len(sought), _PIECE_SAMPLES):
        piece = sought[start : start + _PIECE_SAMPLES]
        found.append(_piece_correlation(line, best + start, piece))
        energies.append(float(np.sum(piece**2)))
    correlations, weights = np.array(found), np.array(energies)
    loud = weights > _QUIET_PIECE * np.max(weights)
    median = float(np.median(correlations[loud]))
    mean = float(np.average(correlations, weights=weights))
    return Heard(max(0.0, min(median, mean)), (best - _SLIP_SAMPLES) * 1000 / RATE_HZ)


def _piece_correlation(line: Signal, place: int, piece: Signal) -> float:
    """Return the piece's normalised correlation at its place, or beside it where that is a clear match."""
    first = max(0, place - _SLIP_SAMPLES)
    around = _correlations(line[first : place + len(piece) + _SLIP_SAMPLES], piece)
    best = float(np.max(around))
    return best if best >= _CLEAR_MATCH else float(around[place - first])


def speech_segments(
    recording: Recording | bytes | Samples,
    *,
    threshold_dbfs: float = _SPEECH_DBFS,
    join_ms: int = 300,
    least_ms: int = 40,
) -> list[Segment]:
    """Return the stretches louder than the threshold; pauses shorter than `join_ms` are bridged.

    Of a Recording, times are monotonic seconds; of samples, seconds from their start. Resolution 10 ms.
    """
    start_s, line = (
        (recording.start_s, recording.samples()) if isinstance(recording, Recording) else (0.0, _samples(recording))
    )
    loud = _levels_dbfs(line) > threshold_dbfs
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]])))
    joined: list[list[int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if joined and (first - joined[-1][1]) * 10 < join_ms:
            joined[-1][1] = last
        else:
            joined.append([first, last])
    step_s = _WINDOW_SAMPLES / RATE_HZ
    return [
        Segment(start_s + first * step_s, start_s + last * step_s)
        for first, last in joined
        if (last - first) * 10 >= least_ms
    ]


def first_sound_at(recording: Recording, after_s: float = 0.0, *, threshold_dbfs: float = _SPEECH_DBFS) -> float | None:
    """Return the time of the first sample louder than the threshold at or after `after_s`; None without one."""
    start_s = max(after_s, recording.start_s)
    line = recording.samples(start_s, max(start_s, recording.end_s))
    places = np.flatnonzero(np.abs(line.astype(np.int32)) > _amplitude(threshold_dbfs))
    return start_s + int(places[0]) / RATE_HZ if len(places) else None


def silence_after(
    recording: Recording, at_s: float, *, threshold_dbfs: float = _SPEECH_DBFS, least_ms: int = 200
) -> float:
    """Return when the sound heard at `at_s` ended: the start of the first silence of `least_ms` from then on.

    The end of the recording counts as silence. Returns `at_s` when it was silent already.
    """
    for segment in speech_segments(recording, threshold_dbfs=threshold_dbfs, join_ms=least_ms, least_ms=10):
        if segment.end_s > at_s:
            return segment.end_s if segment.start_s <= at_s else at_s
    return at_s


def level_dbfs(samples: bytes | Samples) -> float:
    """Return the level of the whole, -120 for silence."""
    line = _samples(samples).astype(np.float64)
    return float(10 * np.log10(max(float(np.mean(line**2)), 1e-3) / 32768.0**2)) if len(line) else -120.0


def frequency_hz(samples: bytes | Samples) -> float:
    """Return the strongest frequency, 0 for silence."""
    line = _samples(samples).astype(np.float64)
    if len(line) < 2 * _WINDOW_SAMPLES or np.max(np.abs(line)) < 50:
        return 0.0
    spectrum = np.abs(np.fft.rfft(line * np.hanning(len(line))))
    return float(np.fft.rfftfreq(len(line), 1 / RATE_HZ)[np.argmax(spectrum)])


def _samples(sound: bytes | Samples) -> Samples:
    return np.frombuffer(sound, dtype="<i2") if isinstance(sound, bytes) else sound


def _flattened(sound: bytes | Samples) -> Signal:
    line = _samples(sound).astype(np.float64)
    return np.append(line[:1], line[1:] - _PRE_EMPHASIS * line[:-1])


def _products(line: Signal, sought: Signal) -> Signal:
    """Return the dot product at every place where `sought` fits into `line`."""
    size = 1 << int(np.ceil(np.log2(len(line) + len(sought))))
    product = np.fft.irfft(np.fft.rfft(line, size) * np.conj(np.fft.rfft(sought, size)), size)
    return np.asarray(product[: len(line) - len(sought) + 1])


def _correlations(line: Signal, sought: Signal) -> Signal:
    """Return the normalised cross-correlation at every place."""
    sums = np.concatenate([[0.0], np.cumsum(line**2)])
    energy = sums[len(sought) :] - sums[: -len(sought)]
    # Places quieter than a hundredth of the recording's mean would turn rounding into similarity.
    floor = 0.01 * float(np.mean(line**2)) * len(sought)
    scale = np.sqrt(np.maximum(energy, floor) * float(np.sum(sought**2)))
    return np.asarray(_products(line, sought) / np.maximum(scale, 1e-9))


def _levels_dbfs(line: Samples) -> Signal:
    windows = line[: len(line) // _WINDOW_SAMPLES * _WINDOW_SAMPLES].reshape(-1, _WINDOW_SAMPLES).astype(np.float64)
    return np.asarray(10 * np.log10(np.maximum(np.mean(windows**2, axis=1), 1e-3) / 32768.0**2))


def _amplitude(dbfs: float) -> float:
    return float(32768.0 * 10 ** (dbfs / 20))
