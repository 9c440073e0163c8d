"""What a PocketSphinx decoder is made of: acoustic model, dictionary, language model, and their calibration."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from parley.conversation.errors import EngineMissing
from parley.engines.rejection import NARROWBAND, WIDEBAND, Judge


@dataclass(frozen=True, slots=True)
class AcousticModel:
    """A model for one language."""

    folder: Path
    dictionary: Path
    language_model: Path
    """For open vocabulary."""
    rate_hz: int
    """Of the audio that it was trained on."""
    cepstral_mean: str
    """Mean cepstrum of µ-law telephone speech: where each utterance's normalisation starts from.

    The model's own initial value comes from wideband microphones and costs one-word answers dearly.
    """
    judge: Judge
    """Tells answers from nonsense, tuned on this model's scores."""

    def config(self) -> dict[str, object]:
        """Return the decoder settings that the model itself asks for."""
        settings: dict[str, object] = {
            "hmm": str(self.folder),
            "dict": str(self.dictionary),
            "lm": None,
            "loglevel": "FATAL",
            "samprate": float(self.rate_hz),
        }
        return settings | ({"nfft": 256} if self.rate_hz == 8000 else {})


def wideband_model() -> AcousticModel:
    """Return the 16 kHz en-us model that comes inside the pocketsphinx wheel. Raises EngineMissing."""
    base = _model_path()
    return AcousticModel(
        folder=base / "en-us",
        dictionary=base / "cmudict-en-us.dict",
        language_model=base / "en-us.lm.bin",
        rate_hz=16000,
        cepstral_mean="42.6,21.5,-35.0,44.8,-30.4,10.65,1.4,-21.3,17.7,-23.5,15.2,-5.9,-2.95",
        judge=WIDEBAND,
    )


def narrowband_model(folder: Path) -> AcousticModel:
    """Return an 8 kHz English model (hub4wsj_sc_8k) that the site has put into `folder`. Raises EngineMissing."""
    if not (folder / "mdef").is_file():
        raise EngineMissing(f"no PocketSphinx model in {folder}: it has no file mdef")
    base = _model_path()
    return AcousticModel(
        folder=folder,
        dictionary=base / "cmudict-en-us.dict",
        language_model=base / "en-us.lm.bin",
        rate_hz=8000,
        cepstral_mean="45.05,-3.49,0.43,-1.11,-1.40,-0.93,-0.83,-0.02,-0.25,-0.31,-0.25,-0.31,-0.24",
        judge=NARROWBAND,
    )


def sphinx() -> ModuleType:
    """Return the pocketsphinx module (it has no type stubs). Raises EngineMissing."""
    try:
        return importlib.import_module("pocketsphinx")
    except ImportError as err:
        raise EngineMissing("pocketsphinx is not installed: pip install pocketsphinx") from err


def _model_path() -> Path:
    return Path(sphinx().get_model_path()) / "en-us"
