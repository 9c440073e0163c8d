"""Who may import whom (docs/architecture.md draws the same picture); `cimport` counts as an import."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

ALLOWED: dict[str, set[str]] = {
    "media_core": set(),
    "parley.call_control": set(),
    "audio_fork": {"media_core"},
    "ari_app": {"parley.call_control"},
    "parley.conversation": {"media_core", "parley.call_control"},
    "parley.inference": {"parley.conversation", "media_core"},
    "parley.engines": {"parley.conversation", "media_core"},
    "parley.store": {"parley.conversation", "parley.call_control"},
    "parley.app": {
        "media_core",
        "audio_fork",
        "ari_app",
        "parley.call_control",
        "parley.conversation",
        "parley.inference",
        "parley.engines",
        "parley.store",
    },
}
"""Package → packages of ours it may import. Nobody may import parley.app."""

STANDARD_LIBRARY_ONLY = {"parley.call_control"}
MODEL_RUNTIMES = {"pocketsphinx", "faster_whisper", "whisper", "llama_cpp", "piper", "torch", "onnxruntime"}
"""Imported by parley.engines, which only the worker process loads; of it the call process loads the neural voice
detector, and only where the settings ask for it."""
ASKS_FOR_THE_EXTRA = ROOT / "parley/app/voice_detection.py"
"""Tries whether onnxruntime is there."""
AMI_OF_PANORAMISK = {"actions", "ami_protocol", "manager", "message"}


def imports_of(source: Path) -> Iterator[str]:
    """Yield the dotted names that a .py, .pyx or .pxd file imports, absolute."""
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{source}: relative import; write the absolute name"
                yield node.module or ""
    else:
        for match in re.finditer(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))", text, re.MULTILINE):
            yield match.group(1) or match.group(2)


def owner_of(name: str) -> str | None:
    """Return the package of ours that a dotted name belongs to."""
    owners = [package for package in ALLOWED if name == package or name.startswith(package + ".")]
    return max(owners, key=len, default=None)


def sources_of(package: str) -> list[Path]:
    folder = ROOT / package.replace(".", "/")
    return sorted(path for suffix in ("py", "pyx", "pxd") for path in folder.rglob(f"*.{suffix}"))


@pytest.mark.parametrize("package", ALLOWED)
def test_package_imports_only_what_the_house_rules_allow(package: str) -> None:
    sources = sources_of(package)
    assert sources, f"{package} has no sources: the rule is about a folder that is not there"
    wrong = [
        f"{source.relative_to(ROOT)} imports {name}"
        for source in sources
        for name in imports_of(source)
        if (owner := owner_of(name)) is not None and owner != package and owner not in ALLOWED[package]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", sorted(STANDARD_LIBRARY_ONLY))
def test_vocabulary_packages_use_the_standard_library_only(package: str) -> None:
    foreign = [
        f"{source.name} imports {name}"
        for source in sources_of(package)
        for name in imports_of(source)
        if name.split(".")[0] not in sys.stdlib_module_names and owner_of(name) != package
    ]
    assert not foreign, "\n".join(foreign)


def test_model_runtimes_are_imported_by_engines_only() -> None:
    wrong = [
        f"{source.relative_to(ROOT)} imports {name}"
        for package in ALLOWED
        if package != "parley.engines"
        for source in sources_of(package)
        if source != ASKS_FOR_THE_EXTRA
        for name in imports_of(source)
        if name.split(".")[0] in MODEL_RUNTIMES
    ]
    assert not wrong, "\n".join(wrong)


def test_of_panoramisk_only_the_ami_client_is_used() -> None:
    """One TCP connection that ends too early freezes its FastAGI server, and the event loop with it."""
    wrong = [
        f"{source.relative_to(ROOT)} imports {name}"
        for package in ALLOWED
        for source in sources_of(package)
        for name in imports_of(source)
        if name.split(".")[0] == "panoramisk"
        if source.parent != ROOT / "ari_app" / "ami" or name.removeprefix("panoramisk.") not in AMI_OF_PANORAMISK
    ]
    assert not wrong, "\n".join(wrong)


def test_call_process_does_not_load_the_engines() -> None:
    """The engines run in the worker: importing the node must not bring them in, nor what they run on."""
    unwanted = f"m.startswith('parley.engines.') or m.split('.')[0] in {MODEL_RUNTIMES}"
    probe = f"import sys, parley.app.node; print([m for m in sys.modules if {unwanted}])"
    shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.strip() == "[]"
