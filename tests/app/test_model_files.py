"""Models are there whole and right, or not at all. The package index is a function here."""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from parley.app.exit_status import CANNOT_WORK, TRY_AGAIN, exit_status
from parley.app.model_catalogue import MODELS, SILERO, WheelModel
from parley.app.model_files import ModelError, ModelState, ModelUnavailable, examine, fetch_from_wheel, pip_download

CONTENT = b"weights"
MODEL = replace(SILERO, sha256=hashlib.sha256(CONTENT).hexdigest())


class Index:
    """A package index with one wheel."""

    def __init__(self, members: Mapping[str, bytes]) -> None:
        self.members = members
        self.asked: list[str] = []

    def download(self, requirement: str, folder: Path) -> None:
        """Bring it."""
        self.asked.append(requirement)
        with zipfile.ZipFile(folder / "silero_vad-6.2.3-py3-none-any.whl", "w") as wheel:
            for name, content in self.members.items():
                wheel.writestr(name, content)


@pytest.fixture
def index() -> Index:
    return Index({MODEL.member: CONTENT, "silero_vad/model.py": b"import torch"})


def test_model_is_taken_out_of_its_wheel(tmp_path: Path, index: Index) -> None:
    folder = tmp_path / "data" / "models"
    path = fetch_from_wheel(MODEL, folder, index.download)
    assert path == folder / "silero_vad.onnx"
    assert path.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [path], "nothing else stays"
    assert index.asked == [MODEL.requirement]


def test_model_that_is_there_is_not_fetched_again(tmp_path: Path, index: Index) -> None:
    for _ in range(2):
        fetch_from_wheel(MODEL, tmp_path, index.download)
    assert len(index.asked) == 1


def test_model_that_is_damaged_is_fetched_again(tmp_path: Path, index: Index) -> None:
    path = fetch_from_wheel(MODEL, tmp_path, index.download)
    path.write_bytes(CONTENT[:-1])
    assert examine(MODEL, tmp_path).state is ModelState.DIFFERENT
    fetch_from_wheel(MODEL, tmp_path, index.download)
    assert examine(MODEL, tmp_path).state is ModelState.READY


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({MODEL.member: b"something else"}, "sha256"),
        ({"silero_vad/model.py": b""}, "holds no silero_vad/data/silero_vad.onnx"),
    ],
)
def test_wheel_with_another_content_leaves_nothing_behind(
    tmp_path: Path, members: Mapping[str, bytes], told: str
) -> None:
    with pytest.raises(ModelError, match=told) as error:
        fetch_from_wheel(MODEL, tmp_path, Index(members).download)
    assert list(tmp_path.iterdir()) == []
    assert exit_status(error.value) == CANNOT_WORK


def test_index_without_a_wheel_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no wheel of silero-vad=="):
        fetch_from_wheel(MODEL, tmp_path, lambda requirement, folder: None)


def test_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    assert examine(MODEL, tmp_path).state is ModelState.MISSING


def test_what_pip_says_is_passed_on_and_may_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="No matching distribution") as error:
        pip_download("silero-vad==6.2.3", tmp_path)
    assert exit_status(error.value) == TRY_AGAIN


def test_every_model_of_the_catalogue_is_pinned() -> None:
    assert MODELS["silero"] is SILERO
    for model in [model for model in MODELS.values() if isinstance(model, WheelModel)]:
        assert "==" in model.requirement
        assert len(bytes.fromhex(model.sha256)) == hashlib.sha256().digest_size
        assert examine(model, Path("/nowhere")).state is ModelState.MISSING
