"""openai-whisper (PyTorch) as a Transcriber. The extra `openai-whisper`; imported in the worker only.

It decodes one clip at a time: while it does, it hangs hooks into the model that would mix two clips up.
"""

from __future__ import annotations

import importlib.util
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parley.conversation.errors import EngineError, EngineMissing
from parley.engines.extras import how_to_install
from parley.engines.transcription import (
    RATE_HZ,
    Passage,
    Samples,
    SpokenWord,
    Stopped,
    most_tokens,
    samples_of,
    windows,
)

if TYPE_CHECKING:
    from whisper import Whisper

SAMPLES_PER_FRAME = 160
"""Of the spectrogram."""


@dataclass(frozen=True, slots=True)
class OpenaiWhisperOptions:
    """Which model, and what it may use."""

    model: Path
    """A checkpoint, or a folder with one `.pt` file."""
    threads: int = 1
    """Processor threads of a decoding."""
    device: str = "cpu"

    def checkpoint(self) -> Path:
        """Return the checkpoint's file. Raises EngineMissing."""
        found = [self.model] if self.model.is_file() else sorted(self.model.glob("*.pt"))
        if len(found) != 1:
            raise EngineMissing(
                f"{self.model} is neither a Whisper checkpoint nor a folder with one .pt file: "
                "`parley models list` says how to get one"
            )
        return found[0]


class OpenaiWhisper:
    """Transcriber with openai-whisper."""

    def __init__(self, options: OpenaiWhisperOptions) -> None:
        """Look whether package and checkpoint are there; it is loaded by `load()`. Raises EngineMissing."""
        if importlib.util.find_spec("whisper") is None:
            raise EngineMissing(f"openai-whisper is not installed: {how_to_install('openai-whisper')}")
        self._checkpoint = options.checkpoint()
        self._options = options
        self._model: Whisper | None = None
        self._at_work = threading.Lock()

    def load(self) -> None:
        """Load the model unless it is loaded. Raises EngineError, EngineMissing where the library does not load."""
        with self._at_work:
            if self._model is not None:
                return
            torch, whisper, timing = _libraries()
            torch.set_num_threads(self._options.threads)
            try:
                self._model = whisper.load_model(str(self._checkpoint), device=self._options.device)
            except Exception as err:  # unpickling what is no checkpoint raises whatever it meets
                raise EngineError(f"openai-whisper cannot load {self._checkpoint}: {err}") from err
            timing.dtw(torch.zeros(2, 2))  # compiled at its first use, for which no caller shall wait

    def transcribe(self, pcm: bytes, language: str, stopped: Stopped) -> list[Passage]:
        """Return the passages of a clip. Raises EngineError."""
        model = self._model
        if model is None:
            raise EngineError("the model is not loaded")
        if language != "en" and not model.is_multilingual:
            raise EngineMissing(
                f"the model in {self._checkpoint} does not know language {language!r}, only 'en': "
                "choose a multilingual one (no `.en` in its name)"
            )
        samples = samples_of(pcm)
        passages = []
        with self._at_work:
            for start, end in windows(samples):
                if stopped():
                    break
                try:
                    passages.append(_decoded(model, samples[start:end], language, start / RATE_HZ))
                except (RuntimeError, ValueError, IndexError) as err:
                    raise EngineError("openai-whisper failed on an utterance") from err
        return passages


def _libraries() -> tuple[Any, Any, Any]:
    """Load torch, whisper and whisper.timing, which takes several seconds. Raises EngineMissing."""
    try:
        import torch  # noqa: PLC0415
        import whisper  # noqa: PLC0415 (an extra)
        from whisper import timing  # noqa: PLC0415
    except (ImportError, OSError, RuntimeError) as err:  # the latter two where a library of its own does not load
        raise EngineMissing(
            f"openai-whisper is installed and does not load here ({err}): install it anew, for this processor"
        ) from err
    return torch, whisper, timing


def _decoded(model: Whisper, samples: Samples, language: str, offset_s: float) -> Passage:
    """Decode one window once.   offset_s: where it begins in the clip."""
    import whisper  # noqa: PLC0415
    from whisper.tokenizer import get_tokenizer  # noqa: PLC0415

    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(samples), model.dims.n_mels).to(model.device)
    options = whisper.DecodingOptions(
        language=language,
        temperature=0.0,
        without_timestamps=True,
        sample_len=most_tokens(len(samples)),
        fp16=model.device.type != "cpu",
    )
    result = whisper.decode(model, mel, options)
    try:
        tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages, language=language)
    except ValueError as err:
        raise EngineMissing(f"Whisper does not know language {language!r}") from err
    return Passage(
        # Decoding strips the space that stands before the first word.
        text=f" {result.text}" if not result.text.startswith(" ") else result.text,
        mean_log_probability=result.avg_logprob,
        no_speech_probability=result.no_speech_prob,
        compression_ratio=result.compression_ratio,
        words=_words(model, tokenizer, result.tokens, mel, len(samples), offset_s),
    )


def _words(
    model: Whisper, tokenizer: Any, tokens: list[int], mel: Any, samples: int, offset_s: float
) -> tuple[SpokenWord, ...]:
    from whisper.timing import find_alignment  # noqa: PLC0415

    spoken = [token for token in tokens if token < tokenizer.eot]
    frames = samples // SAMPLES_PER_FRAME
    # An audio token stands for two frames; with less than one there is nothing to be aligned.
    if not spoken or frames < 2:
        return ()
    end_s = offset_s + samples / RATE_HZ
    return tuple(
        SpokenWord(
            word.word,
            min(offset_s + float(word.start), end_s),
            min(offset_s + float(word.end), end_s),
            float(word.probability),
        )
        for word in find_alignment(model, tokenizer, spoken, mel, frames)
        if word.word.strip()
    )
