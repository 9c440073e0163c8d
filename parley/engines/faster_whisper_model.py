"""faster-whisper (CTranslate2) as a Transcriber. The extra `faster-whisper`; imported in the worker only."""

from __future__ import annotations

import importlib.util
import threading
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parley.conversation.errors import EngineError, EngineMissing
from parley.engines.extras import how_to_install
from parley.engines.transcription import RATE_HZ, Passage, SpokenWord, Stopped, most_tokens, samples_of, windows

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

FILES = ("config.json", "model.bin", "tokenizer.json")
"""What a model's folder must hold: without the tokenizer faster-whisper would look for one on the internet."""


@dataclass(frozen=True, slots=True)
class FasterWhisperOptions:
    """Which model, and what it may use."""

    folder: Path
    """A CTranslate2 conversion of a Whisper model, with its tokenizer.json."""
    slots: int = 1
    """Decodings at once; all share the weights."""
    threads: int = 1
    """Processor threads of one decoding."""
    device: str = "cpu"
    compute: str = "int8"
    """CTranslate2's `compute_type`: a model of any other kind is converted when it is loaded."""
    beam: int = 1


class FasterWhisper:
    """Transcriber with faster-whisper."""

    def __init__(self, options: FasterWhisperOptions) -> None:
        """Look whether package and model are there; the model is loaded by `load()`. Raises EngineMissing."""
        if importlib.util.find_spec("faster_whisper") is None:
            raise EngineMissing(f"faster-whisper is not installed: {how_to_install('faster-whisper')}")
        missing = [name for name in FILES if not (options.folder / name).is_file()]
        if missing:
            raise EngineMissing(
                f"{options.folder} is no faster-whisper model ({', '.join(missing)} missing): "
                "`parley models list` says how to get one"
            )
        self._options = options
        self._model: WhisperModel | None = None
        self._loading = threading.Lock()

    def load(self) -> None:
        """Load the model unless it is loaded. Raises EngineError, EngineMissing where the library does not load."""
        with self._loading:
            if self._model is not None:
                return
            model_class = _library()
            try:
                self._model = model_class(
                    str(self._options.folder),
                    device=self._options.device,
                    compute_type=self._options.compute,
                    cpu_threads=self._options.threads,
                    num_workers=self._options.slots,
                    local_files_only=True,
                )
            except Exception as err:  # the tokenizers library raises nothing more particular
                raise EngineError(f"faster-whisper cannot load the model in {self._options.folder}: {err}") from err

    def transcribe(self, pcm: bytes, language: str, stopped: Stopped) -> list[Passage]:
        """Return the passages of a clip. Raises EngineError."""
        model = self._model
        if model is None:
            raise EngineError("the model is not loaded")
        if language not in model.supported_languages:
            raise EngineMissing(
                f"the model in {self._options.folder} does not know language {language!r}, only "
                f"{', '.join(model.supported_languages[:5])}: choose a multilingual one (no `.en` in its name)"
            )
        from faster_whisper import BatchedInferencePipeline  # noqa: PLC0415

        samples = samples_of(pcm)
        try:
            # Unlike WhisperModel.transcribe(), the pipeline decodes each window once: it neither goes on into the
            # silence behind the last word, where Whisper makes things up, nor tries again at higher temperatures.
            segments, _ = BatchedInferencePipeline(model).transcribe(
                samples,
                language=language,
                batch_size=1,
                beam_size=self._options.beam,
                temperature=0.0,
                word_timestamps=True,
                max_new_tokens=most_tokens(len(samples)),
                vad_filter=False,
                clip_timestamps=[{"start": start / RATE_HZ, "end": end / RATE_HZ} for start, end in windows(samples)],
            )
            end_s = len(samples) / RATE_HZ
            return [_passage(segment, end_s) for segment in takewhile(lambda _: not stopped(), segments)]
        except (RuntimeError, ValueError, IndexError) as err:
            raise EngineError("faster-whisper failed on an utterance") from err


def _library() -> Any:
    """Load the class WhisperModel, which takes half a second. Raises EngineMissing."""
    try:
        from faster_whisper import WhisperModel  # noqa: PLC0415 (an extra)
    except (ImportError, OSError, RuntimeError) as err:  # the latter two where a library of its own does not load
        raise EngineMissing(
            f"faster-whisper is installed and does not load here ({err}): install it anew, for this processor"
        ) from err
    return WhisperModel


def _passage(segment: Segment, end_s: float) -> Passage:
    """Return our form of a segment.   end_s: of the clip, which the words' times may overrun by some frames."""
    return Passage(
        text=segment.text,
        mean_log_probability=segment.avg_logprob,
        no_speech_probability=segment.no_speech_prob,
        compression_ratio=segment.compression_ratio,
        words=tuple(
            SpokenWord(word.word, min(float(word.start), end_s), min(float(word.end), end_s), float(word.probability))
            for word in segment.words or ()
        ),
    )
