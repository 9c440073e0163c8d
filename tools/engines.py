"""What the engines' own tests need (`make test-models`): extras in .venv, and a language model's server, unpacked."""

from __future__ import annotations

import os
import subprocess
import tomllib
import venv
from pathlib import Path

from tools.packages import PackagesUnavailable, own_archive, own_loader, unpack_packages
from tools.places import (
    CACHE,
    ENVIRONMENT,
    PROGRAMS,
    REPOSITORY,
    Stamp,
    installed_program,
    say,
    system_release,
    write_starter,
)

LLAMA_SERVER = "llama-server"
_SERVER_ROOT = CACHE / LLAMA_SERVER
_ONE_JOB = {"CMAKE_BUILD_PARALLEL_LEVEL": "1"}


OPENAI_WHISPER_ENVIRONMENT = CACHE / "openai-whisper"
"""Its own, which sees .venv: PyTorch is larger than all the rest."""
_WHISPER_NEEDS = ("more-itertools", "numba", "numpy", "tiktoken", "tqdm")
"""All but torch, which the user may choose, and triton, which takes 1 GB and is not needed."""


def prepare_faster_whisper() -> None:
    """Install faster-whisper. Raises CalledProcessError."""
    _install("faster-whisper")


def prepare_openai_whisper() -> None:
    """Install openai-whisper into an environment of its own. Raises CalledProcessError.

    TORCH in the environment says which PyTorch, for instance `torch==2.13.0+cpu`; else pip chooses.
    """
    torch = os.environ.get("TORCH", "torch")
    whisper = _extra("openai-whisper")
    stamp = Stamp("engine-openai-whisper", {"packages": [torch, *whisper, *_WHISPER_NEEDS], "python": str(ENVIRONMENT)})
    interpreter = OPENAI_WHISPER_ENVIRONMENT / "bin" / "python"
    if stamp.is_valid and interpreter.exists():
        return
    say("openai-whisper", f"installing {torch} and openai-whisper apart; more than 1 GB")
    venv.EnvBuilder(clear=True, symlinks=True).create(OPENAI_WHISPER_ENVIRONMENT)
    _pip(interpreter, torch, *_WHISPER_NEEDS)
    _pip(interpreter, "--no-deps", *whisper)
    # Last: pip would take what it sees there for its own.
    [packages] = OPENAI_WHISPER_ENVIRONMENT.glob("lib/python*/site-packages")
    [ours] = ENVIRONMENT.glob("lib/python*/site-packages")
    (packages / "parley.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n", encoding="utf-8")
    stamp.write()


def prepare_piper() -> None:
    """Install piper and what makes its test voice. Raises CalledProcessError."""
    _install("piper", "canned")


def prepare_llama() -> None:
    """Compile and install llama-cpp-python and what makes its test model. Raises CalledProcessError."""
    _install("llama", "canned")


def prepare_openai() -> None:
    """See to it that a llama.cpp server can be run. Raises CalledProcessError or PackagesUnavailable."""
    _install("canned")
    if installed_program(LLAMA_SERVER) is not None:
        return
    stamp = Stamp(LLAMA_SERVER, {"system": system_release().get("PRETTY_NAME", "")})
    if stamp.is_valid and (PROGRAMS / LLAMA_SERVER).exists():
        return
    if own_archive().distribution != "debian":
        raise PackagesUnavailable("llama.cpp's server comes from Debian: put `llama-server` on PATH yourself")
    unpack_packages(LLAMA_SERVER, ["llama.cpp"], own_archive(suite="sid"), _SERVER_ROOT)
    _write_server_starter()
    say(LLAMA_SERVER, f"unpacked; it is started as {(PROGRAMS / LLAMA_SERVER).relative_to(CACHE.parent)}")
    stamp.write()


def _write_server_starter() -> None:
    """Write the starter: the server's own libraries lie in a folder apart, and so does what computes for each CPU."""
    *loader, libraries = own_loader(_SERVER_ROOT)
    own = next(iter(_SERVER_ROOT.glob("usr/lib/*/llama")), None)
    backends = sorted(_SERVER_ROOT.glob("usr/lib/*/ggml/backends*/libggml-cpu-*.so"))
    plain = [backend for backend in backends if backend.stem == "libggml-cpu-x64"] or backends
    if own is None or not plain:
        raise PackagesUnavailable("the package llama.cpp is not built as expected: put `llama-server` on PATH yourself")
    command = [*loader, f"{libraries}:{own}", str(_SERVER_ROOT / "usr/bin" / LLAMA_SERVER)]
    write_starter(LLAMA_SERVER, command, {"GGML_BACKEND_PATH": str(plain[0])})


def _extra(name: str) -> list[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    packages: list[str] = project["project"]["optional-dependencies"][name]
    return packages


def _pip(interpreter: Path, *arguments: str) -> None:
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--python", str(interpreter)]
    command = [*pip, "install", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, env={**os.environ, **_ONE_JOB}, stdin=subprocess.DEVNULL, check=True)


def _install(*extras: str) -> None:
    """Install the packages of some extras into .venv."""
    packages = [package for extra in extras for package in _extra(extra)]
    made_at = (ENVIRONMENT / "pyvenv.cfg").stat().st_mtime
    stamp = Stamp(f"engine-{extras[0]}", {"packages": packages, "python": [str(ENVIRONMENT), made_at]})
    if stamp.is_valid:
        return
    say(extras[0], f"installing {', '.join(packages)} into .venv; half a minute or more")
    _pip(ENVIRONMENT / "bin" / "python", *packages)
    stamp.write()
