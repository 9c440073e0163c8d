"""What the package says it has, it has; what it does to misuse, it says."""

import ast
import importlib
from pathlib import Path

import pytest

import media_core
from media_core import errors

PACKAGE = Path(media_core.__file__).parent
STUBS = sorted(path.stem for path in PACKAGE.glob("*.pyi"))


def test_every_public_name_is_there() -> None:
    assert sorted(media_core.__all__) == sorted(set(media_core.__all__))
    for name in media_core.__all__:
        assert getattr(media_core, name) is not None


@pytest.mark.parametrize("stub", STUBS)
def test_every_name_of_a_stub_is_in_its_module(stub: str) -> None:
    module = importlib.import_module(f"media_core.{stub}")
    for node in ast.parse((PACKAGE / f"{stub}.pyi").read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found = getattr(module, node.name)
            members = node.body if isinstance(node, ast.ClassDef) else []
            for member in members:
                if isinstance(member, ast.FunctionDef):
                    assert hasattr(found, member.name), f"{stub}.{node.name}.{member.name}"


def test_every_error_is_a_media_error_with_a_code_of_its_own() -> None:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    kinds = [kind for kind in classes if issubclass(kind, errors.MediaError)]
    assert kinds == classes
    assert len({kind.code for kind in kinds}) == len(kinds)


@pytest.mark.parametrize(
    "name", ["ulaw_encode", "ulaw_decode", "alaw_encode", "alaw_decode", "parse_rtp", "level_dbfs"]
)
@pytest.mark.parametrize("given", [None, "text", bytearray(4), memoryview(bytes(4)), 5])
def test_anything_but_bytes_is_refused(name: str, given: object) -> None:
    with pytest.raises(TypeError):
        getattr(media_core, name)(given)
