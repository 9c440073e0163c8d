"""The models that `parley models` knows: whose they are, which files they have, and how those are known to be right.

A checksum stands here only where its publisher states it. To add a model, add an entry to MODELS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model."""

    name: str
    sha256: str = ""
    """Empty where the publisher states none: whoever pulls the model must give it."""
    url: str = ""
    """Where it can be fetched; empty: only from a place that the user names."""


@dataclass(frozen=True, slots=True)
class FolderModel:
    """A model that lies in a folder of its name."""

    name: str
    engine: str
    """As parley.toml calls it."""
    purpose: str
    licence: str
    files: tuple[ModelFile, ...]
    """Those that it cannot be without."""
    publisher: str
    """Where to look for it, in words."""

    @property
    def sums_known(self) -> bool:
        """Whether it can be checked without the user's help."""
        return all(file.sha256 for file in self.files)

    @property
    def fetchable(self) -> bool:
        """Whether it can be fetched without the user naming a place."""
        return self.sums_known and all(file.url for file in self.files)


@dataclass(frozen=True, slots=True)
class WheelModel:
    """A model that travels as a file within a Python wheel."""

    name: str
    purpose: str
    licence: str
    requirement: str
    """The wheel, as pip takes it; what it depends on is not fetched."""
    member: str
    """The model's path in the wheel."""
    file: str
    """Its name below the models folder."""
    sha256: str
    """Of the model itself."""

    def path(self, folder: Path) -> Path:
        """Return where it lies.   folder: of all models."""
        return folder / self.file


SILERO = WheelModel(
    name="silero",
    purpose="tells voices from other sounds ([vad])",
    licence="MIT",
    requirement="silero-vad==6.2.3",
    member="silero_vad/data/silero_vad.onnx",
    file="silero_vad.onnx",
    sha256="1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
)


def _faster_whisper(size: str, purpose: str) -> FolderModel:
    return FolderModel(
        name=f"faster-whisper-{size}",
        engine="faster-whisper",
        purpose=purpose,
        licence="MIT",
        files=tuple(ModelFile(name) for name in ("config.json", "model.bin", "tokenizer.json")),
        publisher=f"the repository Systran/faster-whisper-{size} of the Hugging Face hub",
    )


OPENAI_WHISPER = "https://openaipublic.azureedge.net/main/whisper/models"
"""As in openai-whisper's own table of models, whose addresses hold the files' sums."""


def _openai_whisper(size: str, purpose: str, sha256: str) -> FolderModel:
    return FolderModel(
        name=f"whisper-{size}",
        engine="openai-whisper",
        purpose=purpose,
        licence="MIT",
        files=(ModelFile(f"{size}.pt", sha256, f"{OPENAI_WHISPER}/{sha256}/{size}.pt"),),
        publisher="OpenAI",
    )


Model = FolderModel | WheelModel

_WHISPER_SIZES = {
    "tiny.en": "English",
    "tiny": "99 languages",
    "base.en": "English; twice the cost of tiny",
    "base": "99 languages; twice the cost of tiny",
    "small.en": "English; six times the cost of tiny",
    "small": "99 languages; six times the cost of tiny",
}
_WHISPER_SUMS = {
    "tiny.en": "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
    "tiny": "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9",
    "base.en": "25a8566e1d0c1e2231d1c762132cd20e0f96a85d16145c3a00adf5d1ac670ead",
    "base": "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e",
    "small.en": "f953ad0fd29cacd07d5a9eda5624af0f6bcf2258be67c92b79389873d91e0872",
    "small": "9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794",
}
_ENTRIES: tuple[Model, ...] = (
    SILERO,
    *(_faster_whisper(size, purpose) for size, purpose in _WHISPER_SIZES.items()),
    *(_openai_whisper(size, purpose, _WHISPER_SUMS[size]) for size, purpose in _WHISPER_SIZES.items()),
)

MODELS: Mapping[str, Model] = {model.name: model for model in _ENTRIES}
