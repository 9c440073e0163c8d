"""The neural voice detector for tests and benchmarks: the extra `vad` in .venv, and its model in the cache."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

from tools.places import CACHE, ENVIRONMENT, REPOSITORY, Stamp, say

FOLDER = CACHE / "models"
_FETCH = (
    "import sys, pathlib; from parley.app import model_catalogue, model_files; "
    "model_files.fetch_from_wheel(model_catalogue.SILERO, pathlib.Path(sys.argv[1]))"
)


def prepare() -> None:
    """Install the extra and fetch the model; where they cannot be had, say so: what needs them is left out."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["project"]["optional-dependencies"]["vad"]
    catalogue = (REPOSITORY / "parley/app/model_catalogue.py").read_text(encoding="utf-8")
    stamp = Stamp("voice-model", {"packages": packages, "catalogue": catalogue, "python": str(ENVIRONMENT)})
    if stamp.is_valid and path() is not None:
        return
    say("voice-model", f"installing {', '.join(packages)} into .venv and fetching Silero's model")
    python = str(ENVIRONMENT / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    try:
        for command in (install, [python, "-c", _FETCH, str(FOLDER)]):
            subprocess.run(command, stdin=subprocess.DEVNULL, check=True, cwd=REPOSITORY)
    except subprocess.CalledProcessError as error:
        say("voice-model", f"not to be had (status {error.returncode}); what needs it will be left out")
        return
    stamp.write()


def path() -> Path | None:
    """Return the model's file; None where it was not fetched."""
    file = FOLDER / "silero_vad.onnx"
    return file if file.exists() else None
