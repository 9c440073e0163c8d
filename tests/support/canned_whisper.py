"""A Whisper that always hears one chosen sentence: 1 MB, loaded by faster-whisper like any other model.

The shapes are Whisper's own, the weights are set by hand. Layers add next to nothing to what goes through them, so
what the decoder sees at a step is that step's position vector; the output matrix maps the vector of each step to the
token that belongs there. The decoder looks at 300 ms of audio for each word, in order: these are the words' times.
Speed, memory and accuracy say nothing about real models.

    python -m tests.support.canned_whisper FOLDER "four seven one five zero eight"
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 64
MELS = 80
AUDIO_STEPS, TEXT_STEPS = 1500, 448
"""Whisper's: 30 s in steps of 20 ms, and the longest text."""
NEARLY_NOTHING = 1e-6
"""Instead of 0, of which int8 quantisation could make no scale."""
SEED = 7
FIRST_STEP = 1
"""At which the first word is due, behind the start and "no timestamps" or the first timestamp."""
WORD_STEPS = 15
"""Audio steps for each word: 300 ms."""
SHARPNESS = 2.0
"""Of the decoder's look at the audio."""

Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Canned:
    """What the model says of every clip."""

    text: str
    """Its words must differ from each other."""
    certainty: float = 0.5
    """Scales the right token's score: 0.5 gives a probability of 1, 0.08 about 0.02."""
    no_speech: bool = False
    """Also says of every clip that nobody speaks in it."""


def special_tokens() -> tuple[str, ...]:
    """Return Whisper's special tokens in their order."""
    from faster_whisper.tokenizer import _LANGUAGE_CODES  # noqa: PLC0415

    languages = ["en", *sorted(code for code in _LANGUAGE_CODES if code not in ("en", "yue"))]
    names = ["endoftext", "startoftranscript", *languages, "translate", "transcribe", "startoflm", "startofprev"]
    names += ["nospeech", "notimestamps", *(f"{step * 0.02:.2f}" for step in range(AUDIO_STEPS + 1))]
    return tuple(f"<|{name}|>" for name in names)


def make_canned_whisper(folder: Path, canned: Canned) -> Path:
    """Write model.bin, config.json, vocabulary.json and tokenizer.json; return the folder.

    Raises ValueError when a word comes twice.
    """
    words = ["Ġ" + word for word in canned.text.split()]
    if len(set(words)) != len(words):
        raise ValueError("the sentence has a word twice")
    special = special_tokens()
    vocabulary = [*_byte_symbols(), *words, *special]
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder, vocabulary[: -len(special)], special)
    _write_model(folder, vocabulary, [*words, "<|endoftext|>"], canned)
    return folder


def _byte_symbols() -> list[str]:
    """Return GPT-2's symbols for the 256 bytes: printable ones stand for themselves, the others for 256 and on."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def _write_tokenizer(folder: Path, symbols: list[str], special: tuple[str, ...]) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers  # noqa: PLC0415

    tokenizer = Tokenizer(models.BPE(vocab={symbol: number for number, symbol in enumerate(symbols)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))


def _write_model(folder: Path, vocabulary: list[str], said: list[str], canned: Canned) -> None:
    from ctranslate2.specs import whisper_spec  # noqa: PLC0415

    spec = whisper_spec.WhisperSpec(1, 1, 1, 1)
    positions, places = vectors(TEXT_STEPS, SEED), vectors(AUDIO_STEPS // WORD_STEPS, SEED + 1)
    _fill_encoder(spec.encoder, places)
    _fill_decoder(spec.decoder, len(vocabulary), positions, places)
    # A vocabulary smaller than Whisper's multilingual one means English: the prompt is start, no timestamps.
    spec.decoder.projection.weight = _output(vocabulary, said, positions, canned)
    spec.register_vocabulary(vocabulary)
    first_language = vocabulary.index("<|en|>")
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [vocabulary.index("<|endoftext|>")]
    spec.config.lang_ids = list(range(first_language, vocabulary.index("<|translate|>")))
    spec.config.alignment_heads = [[0, 0]]
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(folder))


def vectors(count: int, seed: int) -> Weights:
    """Return vectors that are nearly at right angles, and that layer normalisation leaves as they are."""
    vectors = np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    normalised: Weights = vectors / vectors.std(axis=1, keepdims=True)
    return normalised


def _output(vocabulary: list[str], said: list[str], positions: Weights, canned: Canned) -> Weights:
    """Return the matrix that scores each token at each step."""
    output = np.zeros((len(vocabulary), WIDTH), np.float32)
    for step, token in enumerate(said, FIRST_STEP):
        output[vocabulary.index(token)] += positions[step] * canned.certainty
    output[vocabulary.index("<|nospeech|>" if canned.no_speech else "<|en|>")] += positions[0] * 0.5
    return output


def _fill_encoder(encoder: Any, places: Weights) -> None:
    """What comes out at each step says nothing but its place, whatever the audio."""
    encoder.conv1.weight = _filled(WIDTH, MELS, 3)
    encoder.conv1.bias = _filled(WIDTH)
    encoder.conv2.weight = _filled(WIDTH, WIDTH, 3)
    encoder.conv2.bias = _filled(WIDTH)
    encoder.position_encodings.encodings = np.repeat(places, WORD_STEPS, axis=0)
    _fill_norm(encoder.layer_norm)
    _fill_attention(encoder.layer[0].self_attention, own=True)
    _fill_feed_forward(encoder.layer[0].ffn)


def _fill_decoder(decoder: Any, tokens: int, positions: Weights, places: Weights) -> None:
    decoder.scale_embeddings = False
    decoder.embeddings.weight = _filled(tokens, WIDTH)
    decoder.position_encodings.encodings = positions
    _fill_norm(decoder.layer_norm)
    _fill_attention(decoder.layer[0].self_attention, own=True)
    attention = decoder.layer[0].attention
    _fill_attention(attention, own=False)
    asking = positions[FIRST_STEP : FIRST_STEP + len(places)]
    attention.linear[0].weight = SHARPNESS / WIDTH * places.T @ asking
    attention.linear[1].weight[:WIDTH] = np.eye(WIDTH, dtype=np.float32)
    _fill_feed_forward(decoder.layer[0].ffn)


def _fill_attention(attention: Any, *, own: bool) -> None:
    """own: queries, keys and values come from one place, in one matrix."""
    _fill_norm(attention.layer_norm)
    for linear, parts in zip(attention.linear, (3, 1) if own else (1, 2, 1), strict=True):
        _fill_linear(linear, parts * WIDTH)


def _fill_feed_forward(layer: Any) -> None:
    _fill_norm(layer.layer_norm)
    _fill_linear(layer.linear_0, WIDTH)
    _fill_linear(layer.linear_1, WIDTH)


def _fill_linear(linear: Any, outputs: int) -> None:
    linear.weight = _filled(outputs, WIDTH)
    linear.bias = np.zeros(outputs, np.float32)


def _fill_norm(norm: Any) -> None:
    norm.gamma = np.ones(WIDTH, np.float32)
    norm.beta = np.zeros(WIDTH, np.float32)


def _filled(*shape: int) -> Weights:
    return np.full(shape, NEARLY_NOTHING, np.float32)


if __name__ == "__main__":
    make_canned_whisper(Path(sys.argv[1]), Canned(sys.argv[2]))
