"""A voice for piper, made of nothing but formulas: crude, but real to piper, and the same every time.

Each phoneme is a unit of 80 ms, a buzz through three resonances or a band of noise; the network looks the units up
and joins them. It has piper's inputs and outputs, the length of each phoneme included. Run as a program it writes
`en_US-toy-low` into a folder. Needs the packages `onnx` and `piper-tts`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

NAME = "en_US-toy-low"
HOP_SAMPLES = 256
"""In which piper counts lengths."""
UNIT_HOPS = 5
PITCH_HZ = 120
SYMBOLS = 256
LAST_MARK = 2
"""Ids up to this one are padding, begin and end: no sound."""

Signal = NDArray[np.float64]

FORMANTS_HZ = {
    **{"i": (280, 2250, 2900), "ɪ": (400, 1920, 2550), "e": (480, 1900, 2550), "ɛ": (550, 1770, 2490)},
    **{"æ": (690, 1660, 2490), "a": (750, 1400, 2500), "ɑ": (710, 1100, 2540), "ɔ": (590, 880, 2540)},
    **{"o": (500, 900, 2500), "ʊ": (450, 1030, 2380), "u": (310, 870, 2250), "ʌ": (640, 1190, 2390)},
    **{"ə": (500, 1500, 2500), "ɐ": (600, 1300, 2500), "ɜ": (490, 1350, 1690), "ɚ": (490, 1350, 1690)},
    **{"j": (280, 2250, 2900), "w": (310, 700, 2250), "l": (400, 1100, 2600), "ɹ": (350, 1060, 1600)},
    **{"r": (350, 1060, 1600), "m": (280, 1000, 2200), "n": (280, 1700, 2600), "ŋ": (280, 2200, 2700)},
    **{"ɡ": (250, 1700, 2300), "b": (250, 900, 2200), "d": (250, 1700, 2600), "v": (250, 1100, 2300)},
    **{"ð": (250, 1300, 2500), "z": (250, 1700, 2600), "ʒ": (250, 1800, 2500), "ɾ": (300, 1700, 2600)},
}
"""Resonances of voiced sounds; their bandwidths are BANDWIDTHS_HZ."""
BANDWIDTHS_HZ = (80, 100, 140)
NOISE_HZ = {
    **{"s": (4000, 7500), "z": (4000, 7500), "ʃ": (2200, 5500), "ʒ": (2200, 5500), "f": (1500, 7000)},
    **{"v": (1500, 7000), "θ": (1400, 7500), "ð": (1400, 7500), "h": (500, 3000), "t": (3000, 7000)},
    **{"k": (1500, 3500), "p": (500, 2000), "x": (1000, 3000)},
}
"""Bands of hisses and bursts."""
BURSTS = "tkp"


def write_toy_voice(folder: Path, rate_hz: int = 16000, *, aligned: bool = True) -> Path:
    """Write the voice and its description; return the path of the .onnx file.

    aligned: whether it tells how long each phoneme lasts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}.onnx"
    model = helper.make_model(
        _graph(_units(rate_hz), aligned), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    description = {
        "audio": {"sample_rate": rate_hz, "quality": "low"},
        "espeak": {"voice": "en-us"},
        "phoneme_type": "espeak",
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
        "num_symbols": SYMBOLS,
        "num_speakers": 1,
        "speaker_id_map": {},
        "hop_length": HOP_SAMPLES,
        "language": {"code": "en_US"},
    }
    path.with_name(f"{path.name}.json").write_text(json.dumps(description, ensure_ascii=False), encoding="utf-8")
    return path


def _units(rate_hz: int) -> NDArray[np.float32]:
    """Return one unit per id, silence for ids without a sound."""
    length = UNIT_HOPS * HOP_SAMPLES
    random = np.random.default_rng(3)
    position = np.arange(length)
    fade = np.minimum(1, np.minimum(position, length - 1 - position) / (0.01 * rate_hz))
    units = np.zeros((SYMBOLS, length), np.float32)
    for phoneme, ids in DEFAULT_PHONEME_ID_MAP.items():
        sound = np.zeros(length)
        if phoneme in FORMANTS_HZ:
            sound += _buzz(phoneme, length, rate_hz) * (0.35 if phoneme in NOISE_HZ else 0.5)
        if phoneme in NOISE_HZ:
            sound += 0.25 * _hiss(phoneme, random.standard_normal(length), rate_hz)
        if ids[0] < SYMBOLS:
            units[ids[0]] = sound * fade
    return units


def _buzz(phoneme: str, length: int, rate_hz: int) -> Signal:
    """Pulses at the pitch, through the phoneme's resonances; peak 1."""
    sound = np.zeros(length)
    sound[:: rate_hz // PITCH_HZ] = 1
    for formant, bandwidth in zip(FORMANTS_HZ[phoneme], BANDWIDTHS_HZ, strict=True):
        radius = np.exp(-np.pi * bandwidth / rate_hz)
        turn = 2 * radius * np.cos(2 * np.pi * formant / rate_hz)
        before, last = 0.0, 0.0
        for index, pulse in enumerate(sound):
            sound[index] = (1 - radius) * pulse + turn * last - radius**2 * before
            before, last = last, sound[index]
    return np.asarray(sound / np.abs(sound).max())


def _hiss(phoneme: str, noise: Signal, rate_hz: int) -> Signal:
    """Noise in the phoneme's band; bursts begin late and die away. Peak 1."""
    spectrum = np.fft.rfft(noise)
    frequencies = np.fft.rfftfreq(len(noise), 1 / rate_hz)
    low, high = NOISE_HZ[phoneme]
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    sound = np.fft.irfft(spectrum, len(noise))
    sound /= np.abs(sound).max()
    if phoneme in BURSTS:
        after_s = np.arange(len(noise)) / rate_hz - 0.045
        sound *= (after_s > 0) * np.exp(-np.maximum(after_s, 0) / 0.015)
    return sound


def _graph(units: NDArray[np.float32], aligned: bool) -> onnx.GraphProto:
    """Ids → those with a sound → their units, joined."""
    node, value = helper.make_node, helper.make_tensor_value_info
    nodes = [
        node("Reshape", ["input", "flat"], ["ids"]),
        node("Greater", ["ids", "last_mark"], ["sounding"]),
        node("Compress", ["ids", "sounding"], ["spoken"], axis=0),
        node("Gather", ["units", "spoken"], ["pieces"], axis=0),
        node("Reshape", ["pieces", "shape"], ["output"]),
    ]
    outputs = [value("output", TensorProto.FLOAT, [1, 1, "samples"])]
    if aligned:
        nodes += [node("Cast", ["sounding"], ["one"], to=TensorProto.FLOAT), node("Mul", ["one", "hops"], ["w_ceil"])]
        outputs.append(value("w_ceil", TensorProto.FLOAT, ["phonemes"]))
    inputs = [
        value("input", TensorProto.INT64, ["batch", "phonemes"]),
        value("input_lengths", TensorProto.INT64, ["batch"]),
        value("scales", TensorProto.FLOAT, [3]),
    ]
    constants = {
        "units": units,
        "flat": np.array([-1]),
        "last_mark": np.array(LAST_MARK),
        "shape": np.array([1, 1, -1]),
        "hops": np.array(UNIT_HOPS, np.float32),
    }
    return helper.make_graph(
        nodes,
        "toy",
        inputs,
        outputs,
        [numpy_helper.from_array(array, name) for name, array in constants.items() if aligned or name != "hops"],
    )


if __name__ == "__main__":
    print(write_toy_voice(Path(sys.argv[1])))
