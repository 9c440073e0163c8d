"""One voice of piper: text in, pieces of audio out. Imported only where the extra `piper` is installed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_state
from piper import PiperConfig, PiperVoice, SynthesisConfig
from piper.config import PhonemeType

from parley.conversation.errors import EngineError, EngineMissing

logging.getLogger("piper").setLevel(logging.INFO)  # at DEBUG it logs what is said

SPOKEN_AS_WRITTEN = SynthesisConfig(normalize_audio=False)
"""Piper would bring each sentence to full scale; our own level counts."""
FULL_SCALE = 32767
WORD_END = " "
OFFLINE_TYPES = (PhonemeType.ESPEAK, PhonemeType.TEXT)
"""The other kinds of phonemes fetch a model at their first use, or need packages of their own."""

NETWORK_ERRORS = tuple(
    getattr(onnxruntime_state, name)
    for name in (
        "EPFail",
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NoSuchFile",
        "RuntimeException",
    )
)
"""They have no common root but Exception."""

Bounds = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """What piper speaks in one go: a sentence, in espeak-ng's opinion."""

    pcm: bytes
    """int16 little-endian mono at the voice's rate."""
    words: Sequence[Bounds]
    """First sample of each word and the one behind it; empty where the voice does not tell."""
    ends: bool
    """Whether it is the last one."""


class Breaker:
    """Breaks an utterance off, in the middle of the network's work too."""

    def __init__(self) -> None:
        self.options = onnxruntime.RunOptions()

    def stop(self) -> None:
        """Let the work end at once, and all that this utterance would still do. From any thread."""
        self.options.terminate = True

    @property
    def stopped(self) -> bool:
        """Whether `stop()` was called."""
        return bool(self.options.terminate)


class Voice:
    """A voice file, loaded. Several threads may speak with it at once."""

    def __init__(self, model: Path, threads: int) -> None:
        """Load a voice.

        model: NAME.onnx, with NAME.onnx.json beside it.   threads: of one sentence; piper itself would take all cores.
        Raises EngineMissing for a file that is not a voice, or one that cannot work offline.
        """
        config = _read_config(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except NETWORK_ERRORS as err:
            raise EngineMissing(f"{model} cannot be loaded: is it whole? ({type(err).__name__})") from err
        self._session = session
        self._voice = PiperVoice(session=session, config=config)
        self.rate_hz = config.sample_rate
        """Of its audio."""

    def speak(self, text: str, breaker: Breaker) -> Iterator[Piece]:
        """Yield the audio sentence by sentence, nothing after `breaker.stop()`. Blocks. Raises EngineError."""
        session: Any = _BreakableSession(self._session, breaker)
        voice = replace(self._voice, session=session)
        try:
            sentences = [phonemes for phonemes in voice.phonemize(text) if phonemes]
        except RuntimeError as err:
            raise EngineError("piper's espeak-ng does not know the voice's language") from err
        for index, phonemes in enumerate(sentences):
            if breaker.stopped:
                return
            ids = voice.phonemes_to_ids(phonemes)
            audio, samples = self._audio(voice, ids, breaker)
            if audio is None:
                return
            scaled = (np.clip(audio, -1.0, 1.0) * FULL_SCALE).astype("<i2")
            words = [] if samples is None else word_bounds(ids, samples, self._voice.config.phoneme_id_map)
            yield Piece(bytes(scaled.tobytes()), words, ends=index == len(sentences) - 1)

    def _audio(
        self, voice: PiperVoice, ids: list[int], breaker: Breaker
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.int64] | None]:
        """Return audio and samples per id (None: unknown); no audio when it was broken off."""
        try:
            made = voice.phoneme_ids_to_audio(ids, SPOKEN_AS_WRITTEN, include_alignments=True)
        except NETWORK_ERRORS as err:
            if breaker.stopped:
                return None, None
            raise EngineError(f"piper's network failed ({type(err).__name__})") from err
        return made if isinstance(made, tuple) else (made, None)


class _BreakableSession:
    """The one method of a session that piper calls, with an utterance's own breaker."""

    def __init__(self, session: onnxruntime.InferenceSession, breaker: Breaker) -> None:
        self._session = session
        self._breaker = breaker

    def run(self, names: Sequence[str] | None, inputs: dict[str, Any]) -> Sequence[Any]:
        """Run the network."""
        made: Sequence[Any] = self._session.run(names, inputs, self._breaker.options)
        return made


def word_bounds(ids: Sequence[int], samples: NDArray[np.int64], symbols: Any) -> list[Bounds]:
    """Return where each word is spoken, given the length of each phoneme; spaces divide words.

    ids: with the marks for the sentence's begin and end.   samples: per id; of another length: nothing is returned.
    """
    if len(ids) != len(samples):
        return []
    ends = np.cumsum(samples)
    silent = {number for mark in ("_", "^", "$", WORD_END) for number in symbols.get(mark, ())}
    space = set(symbols.get(WORD_END, ()))
    words: list[Bounds] = []
    open_word = False
    for number, end, length in zip(ids, ends, samples, strict=True):
        if number in space:
            open_word = False
        elif number not in silent:
            start = words[-1][0] if open_word else int(end - length)
            if open_word:
                words.pop()
            words.append((start, int(end)))
            open_word = True
    return words


def _read_config(model: Path) -> PiperConfig:
    path = model.with_name(f"{model.name}.json")
    try:
        config = PiperConfig.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as err:
        raise EngineMissing(
            f"{path} cannot be read ({err.strerror}): a voice consists of NAME.onnx and NAME.onnx.json"
        ) from err
    except (ValueError, KeyError, TypeError) as err:
        raise EngineMissing(f"{path} does not describe a voice of piper") from err
    if config.phoneme_type not in OFFLINE_TYPES:
        raise EngineMissing(
            f"{model.stem} reads {config.phoneme_type.value!r}, which fetches further models: "
            "take a voice of type 'espeak'"
        )
    return config
