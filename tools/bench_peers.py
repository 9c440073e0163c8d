"""What benchmarks measure beside: the extra `bench` in .venv, libspandsp, aiortc in an environment of its own."""

from __future__ import annotations

import subprocess
import tomllib
import venv
from pathlib import Path

from tools import spandsp
from tools.places import CACHE, ENVIRONMENT, REPOSITORY, Stamp, say

AIORTC = "aiortc==1.16.0"
"""Its dependencies clash with ours."""
_AIORTC_ENVIRONMENT = CACHE / "aiortc"


def prepare() -> None:
    """Install the peers that fit into .venv. Raises CalledProcessError."""
    spandsp.prepare()
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    peers = project["project"]["optional-dependencies"]["bench"]
    stamp = Stamp("bench-peers", {"peers": peers, "python": str(ENVIRONMENT)})
    if not stamp.is_valid:
        say("peers", f"installing {', '.join(peers)} into .venv")
        _pip(ENVIRONMENT, *peers)
        stamp.write()


def aiortc_python() -> Path | None:
    """Return the interpreter of an environment with aiortc, made at the first use; None where it cannot be made."""
    interpreter = _AIORTC_ENVIRONMENT / "bin" / "python"
    stamp = Stamp("aiortc", {"aiortc": AIORTC, "python": str(ENVIRONMENT)})
    if stamp.is_valid and interpreter.exists():
        return interpreter
    say("peers", f"installing {AIORTC} into an environment of its own")
    try:
        venv.EnvBuilder(clear=True, symlinks=True, with_pip=True).create(_AIORTC_ENVIRONMENT)
        _pip(_AIORTC_ENVIRONMENT, AIORTC, "numpy")
    except subprocess.CalledProcessError as error:
        say("peers", f"{AIORTC} cannot be installed (status {error.returncode}); its case is left out")
        return None
    stamp.write()
    return interpreter


def _pip(environment: Path, *requirements: str) -> None:
    python = str(environment / "bin" / "python")
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
