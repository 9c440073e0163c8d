"""What the engines' own tests need (`make test-models`): extras in .venv, and a language model's server, unpacked."""

from __future__ import annotations

import os
import subprocess
import tomllib

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


def _install(*extras: str) -> None:
    """Install the packages of some extras into .venv."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    packages = [package for extra in extras for package in project["project"]["optional-dependencies"][extra]]
    stamp = Stamp(f"engine-{extras[0]}", {"packages": packages, "python": str(ENVIRONMENT)})
    if stamp.is_valid:
        return
    say(extras[0], f"installing {', '.join(packages)} into .venv")
    command = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *packages], env={**os.environ, **_ONE_JOB}, stdin=subprocess.DEVNULL, check=True)
    stamp.write()
