"""Sound on a wall-clock line: samples placed by the monotonic time at which they were heard or said."""

from __future__ import annotations

import bisect
import threading
import wave
from operator import itemgetter
from pathlib import Path

import numpy as np

from tests.support.phone_codec import Samples

RATE_HZ = 8000


class Recording:
    """What one party heard or said; where nothing came, there is silence.

    All times are `time.monotonic()` in seconds, so recordings of several phones share one line.
    """

    def __init__(self) -> None:
        self._pieces: list[tuple[int, bytes]] = []
        """By position."""
        self._longest = 0
        self._end = 0
        self._lock = threading.Lock()

    def write(self, at_s: float, pcm: bytes) -> None:
        """Place int16 little-endian samples, the first of them at this time."""
        position, samples = round(at_s * RATE_HZ), len(pcm) // 2
        with self._lock:
            bisect.insort(self._pieces, (position, pcm), key=itemgetter(0))
            self._longest = max(self._longest, samples)
            self._end = max(self._end, position + samples)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing has been written."""
        return not self._pieces

    @property
    def start_s(self) -> float:
        """Time of the first sample; 0 when nothing was written."""
        return self._pieces[0][0] / RATE_HZ if self._pieces else 0.0

    @property
    def end_s(self) -> float:
        """Time just after the last sample; 0 when nothing was written."""
        return self._end / RATE_HZ

    def samples(self, start_s: float | None = None, end_s: float | None = None) -> Samples:
        """Return the sound between two times (all of it without them), silence where nothing was written."""
        first = round((self.start_s if start_s is None else start_s) * RATE_HZ)
        last = round((self.end_s if end_s is None else end_s) * RATE_HZ)
        line = np.zeros(max(0, last - first), dtype=np.int16)
        with self._lock:
            begun = bisect.bisect_left(self._pieces, first - self._longest, key=itemgetter(0))
            over = bisect.bisect_left(self._pieces, last, key=itemgetter(0))
            pieces = self._pieces[begun:over]
        for position, pcm in pieces:
            piece = np.frombuffer(pcm, dtype="<i2")
            begin, end = max(position, first), min(position + len(piece), last)
            if begin < end:
                line[begin - first : end - first] = piece[begin - position : end - position]
        return line

    def pcm(self, start_s: float | None = None, end_s: float | None = None) -> bytes:
        """Return the same as int16 little-endian octets."""
        return self.samples(start_s, end_s).astype("<i2").tobytes()

    def save(self, path: Path, start_s: float | None = None, end_s: float | None = None) -> None:
        """Write a mono WAV file."""
        save_wav(path, self.pcm(start_s, end_s))


def save_wav(path: Path, pcm: bytes, rate_hz: int = RATE_HZ) -> None:
    """Write int16 little-endian mono samples as a WAV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(pcm)


def load_wav(path: Path) -> bytes:
    """Return a WAV file's samples at 8 kHz mono, int16 little-endian."""
    with wave.open(str(path), "rb") as source:
        if source.getsampwidth() != 2:
            raise ValueError(f"{path} is not 16-bit PCM")
        channels, rate_hz = source.getnchannels(), source.getframerate()
        samples = np.frombuffer(source.readframes(source.getnframes()), dtype="<i2")
    mono = samples.reshape(-1, channels)[:, 0]
    return resample(mono, rate_hz).astype("<i2").tobytes()


def resample(samples: Samples, rate_hz: int) -> Samples:
    """Return the samples at 8 kHz: band-limited in the frequency domain, whole clip at once."""
    if rate_hz == RATE_HZ or not len(samples):
        return samples
    wanted = round(len(samples) * RATE_HZ / rate_hz)
    spectrum = np.fft.rfft(samples.astype(np.float64))
    kept = np.zeros(wanted // 2 + 1, dtype=np.complex128)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    out = np.fft.irfft(kept, wanted) * (wanted / len(samples))
    return np.clip(np.rint(out), -32768, 32767).astype(np.int16)


def tone(frequency_hz: float, seconds: float, amplitude: int = 8000) -> bytes:
    """Return a sine tone at 8 kHz."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave_form: Samples = np.rint(amplitude * np.sin(2 * np.pi * frequency_hz * time_s)).astype("<i2")
    return wave_form.tobytes()


def silence(seconds: float) -> bytes:
    """Return digital silence at 8 kHz."""
    return bytes(2 * round(seconds * RATE_HZ))
