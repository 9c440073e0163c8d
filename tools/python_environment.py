"""The virtual environment `.venv`, with Parley and its development tools in it, and the compiled media core."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import venv
from pathlib import Path

from tools.packages import own_archive, unpack_packages
from tools.places import CACHE, ENVIRONMENT, PROGRAMS, REPOSITORY, PreparationFailed, Stamp, digest, say

_PYTHON = ENVIRONMENT / "bin" / "python"


def prepare() -> None:
    """Make or renew the environment. Raises PreparationFailed, PackagesUnavailable or CalledProcessError."""
    if not _works():
        _create()
    packaging = [REPOSITORY / "pyproject.toml", REPOSITORY / "setup.py"]
    installed = Stamp("python", {"python": platform.python_version(), "files": digest(packaging)})
    compiled = Stamp("media-core", {"python": platform.python_version(), "files": digest(_sources())})
    if not installed.is_valid or not _has_parley():
        say("python", "installing Parley and its development tools into .venv; a few minutes the first time")
        _run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", ".[dev]")
        installed.write()
        compiled.write()
    elif not compiled.is_valid:
        say("python", "compiling the media core")
        _run("setup.py", "-q", "build_ext", "--inplace")
        compiled.write()


def _sources() -> list[Path]:
    folder = REPOSITORY / "media_core"
    return [
        path for pattern in ("*.pyx", "*.pxd", "*.h", "native/*") for path in folder.glob(pattern) if path.is_file()
    ]


def _works() -> bool:
    if not _PYTHON.exists():
        return False
    answer = subprocess.run([str(_PYTHON), "-I", "-S", "-c", "print('ready')"], capture_output=True, check=False)
    return answer.stdout == b"ready\n"


def _has_parley() -> bool:
    return any(ENVIRONMENT.glob("lib/python*/site-packages/__editable__*parley*")) and any(
        ENVIRONMENT.glob("lib/python*/site-packages/parley-*.dist-info")
    )


def _create() -> None:
    say("python", f"making .venv with Python {platform.python_version()}")
    ensurepip = importlib.util.find_spec("ensurepip")
    bundled = ensurepip is not None and ensurepip.origin is not None
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=bundled).create(ENVIRONMENT)
    if not bundled:
        _bring_pip()


def _bring_pip() -> None:
    """Install pip from the distribution's package of wheels (Debian keeps them out of python3)."""
    root = CACHE / "pip-wheels"
    wheels = sorted(root.glob("usr/share/python-wheels/pip-*.whl"))
    if not wheels:
        own = own_archive()
        components = "main universe" if own.distribution == "ubuntu" else "main"
        unpack_packages("python", ["python3-pip-whl"], own_archive(components=components), root)
        wheels = sorted(root.glob("usr/share/python-wheels/pip-*.whl"))
    if not wheels:
        raise PreparationFailed("python3 has no ensurepip, and the package python3-pip-whl holds no wheel of pip")
    _run(f"{wheels[-1]}/pip", "install", "--quiet", "--no-index", str(wheels[-1]))


def _run(*arguments: str) -> None:
    variables = {**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    if (PROGRAMS / "cc").exists() and "CC" not in os.environ:
        variables["CC"] = str(PROGRAMS / "cc")
    subprocess.run([str(_PYTHON), *arguments], cwd=REPOSITORY, env=variables, stdin=subprocess.DEVNULL, check=True)
