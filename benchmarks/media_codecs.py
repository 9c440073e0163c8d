"""G.711 beside audioop, G.722 beside spandsp."""

from __future__ import annotations

import ctypes
import sys
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

import media_core
from benchmarks.figures import Case, require
from benchmarks.rounds import faster, race
from media_core import batch
from tools import spandsp

with warnings.catch_warnings():
    # The standard library had it until 3.12 and warned that it would go; audioop-lts is the same code.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

FRAMES = 1000
FRAME_SAMPLES = 160
G722_PIECES = 50
"""Seconds handed over at once: more hides the price of a call through ctypes."""


def cases() -> Iterator[Case]:
    """Yield the cases; peers that are not to be had are left out."""
    yield from ulaw()
    library = spandsp.load()
    if library is not None:
        yield from g722(library)


def versions() -> dict[str, str]:
    """Say what the peers are."""
    where = f"of Python {sys.version.split()[0]}" if sys.version_info < (3, 13) else "lts"
    return {"audioop": where, "spandsp": "0.0.6" if spandsp.load() is not None else "not to be had"}


def calls() -> npt.NDArray[np.int16]:
    """Make frames as calls have them: a third each like speech, noise of the line, and nearly silent."""
    random = np.random.default_rng(1)
    times = np.arange(FRAMES * FRAME_SAMPLES) / 8000
    speech = sum((np.sin(2 * np.pi * 120 * k * times) / k for k in range(1, 25)), np.zeros(len(times)))
    speech *= 4000 * np.abs(np.sin(2 * np.pi * 2 * times))
    levels = np.repeat(random.permutation(np.arange(FRAMES) % 3), FRAME_SAMPLES)
    hiss = random.normal(0, 1, len(times))
    line = np.select([levels == 0, levels == 1], [speech + 20 * hiss, 300 * hiss], 4 * hiss)
    return line.round().astype(np.int16).reshape(FRAMES, FRAME_SAMPLES)


def require_ulaw_exact() -> None:
    """Compare all samples and all codes with audioop."""
    samples = np.arange(-32768, 32768, dtype=np.int16).tobytes()
    codes = bytes(range(256))
    require(media_core.ulaw_encode(samples) == audioop.lin2ulaw(samples, 2), "µ-law codes differ from audioop's")
    require(media_core.ulaw_decode(codes) == audioop.ulaw2lin(codes, 2), "µ-law samples differ from audioop's")
    require(media_core.alaw_encode(samples) == audioop.lin2alaw(samples, 2), "A-law codes differ from audioop's")
    require(media_core.alaw_decode(codes) == audioop.alaw2lin(codes, 2), "A-law samples differ from audioop's")


def ulaw() -> Iterator[Case]:
    """One frame per call, and a thousand frames at once, beside audioop, which knows one frame per call only."""
    require_ulaw_exact()
    pcm = calls()
    payload = batch.ulaw_encode_batch(pcm)
    pcm_frames, payload_frames = [row.tobytes() for row in pcm], [row.tobytes() for row in payload]
    encoders = race(
        {
            "call": lambda: [media_core.ulaw_encode(frame) for frame in pcm_frames],
            "batch": lambda: batch.ulaw_encode_batch(pcm),
            "audioop": lambda: [audioop.lin2ulaw(frame, 2) for frame in pcm_frames],
        },
        FRAMES,
    )
    decoders = race(
        {
            "call": lambda: [media_core.ulaw_decode(frame) for frame in payload_frames],
            "batch": lambda: batch.ulaw_decode_batch(payload),
            "audioop": lambda: [audioop.ulaw2lin(frame, 2) for frame in payload_frames],
        },
        FRAMES,
    )
    peer = "audioop, one call per frame"
    yield faster("µ-law encode, one frame per call", encoders["call"], peer, encoders["audioop"], 4)
    yield faster("µ-law encode, 1000 frames at once", encoders["batch"], peer, encoders["audioop"], 15)
    floor = "both are bound by the price of a call and of making bytes: the kernel itself takes 0.04 µs"
    yield faster("µ-law decode, one frame per call", decoders["call"], peer, decoders["audioop"], 1, floor)
    yield faster("µ-law decode, 1000 frames at once", decoders["batch"], peer, decoders["audioop"], 2.5)


def g722(library: ctypes.CDLL) -> Iterator[Case]:
    """Both directions of one call, 20 ms each, beside spandsp."""
    piece_pcm = np.repeat(calls().reshape(-1), 2).astype(np.int16)[: G722_PIECES * 320].tobytes()
    theirs = _spandsp_g722(library, piece_pcm)
    coder, decoder = media_core.G722Encoder(), media_core.G722Decoder()

    def ours() -> bytes:
        return decoder.decode(coder.encode(piece_pcm))

    payload = media_core.G722Encoder().encode(piece_pcm)
    require(theirs() == (payload, media_core.G722Decoder().decode(payload)), "G.722 differs from spandsp's")
    times = race({"ours": ours, "spandsp": theirs}, G722_PIECES)
    yield faster("G.722 both ways, 20 ms of one call", times["ours"], "spandsp 0.0.6", times["spandsp"], 1)


def _spandsp_g722(library: ctypes.CDLL, pcm: bytes) -> Callable[[], tuple[bytes, bytes]]:
    """Return what encodes and decodes this audio with spandsp."""
    for init in (library.g722_encode_init, library.g722_decode_init):
        init.restype = ctypes.c_void_p
        init.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
    for convert in (library.g722_encode, library.g722_decode):
        convert.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int)
    encoder = library.g722_encode_init(None, 64000, 0)
    decoder = library.g722_decode_init(None, 64000, 0)
    payload = ctypes.create_string_buffer(len(pcm) // 4)
    decoded = ctypes.create_string_buffer(len(pcm))

    def both_ways() -> tuple[bytes, bytes]:
        library.g722_encode(encoder, payload, pcm, len(pcm) // 2)
        library.g722_decode(decoder, decoded, payload, len(payload))
        return payload.raw, decoded.raw

    return both_ways
