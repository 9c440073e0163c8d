import subprocess
import sys
from pathlib import Path

import pytest

from parley.app.run_folder import OWNER, run_folder

HOLD = """
import sys, pathlib
from parley.app.run_folder import run_folder
with run_folder(pathlib.Path(sys.argv[1])) as folder:
    (folder / "notify").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_folder_is_open_to_this_user_only_and_gone_afterwards(tmp_path: Path) -> None:
    with run_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o077 == 0
        assert folder.parent == tmp_path
        (folder / "notify").touch()
    assert list(tmp_path.iterdir()) == []


def test_folder_of_a_killed_process_is_removed_by_the_next_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        with run_folder(tmp_path) as ours:
            assert {theirs, ours} == set(tmp_path.iterdir()), "the folder of a living process was removed"
        process.kill()
    assert theirs.exists()
    with run_folder(tmp_path) as ours:
        assert list(tmp_path.iterdir()) == [ours]


def test_what_is_not_known_to_be_ours_stays(tmp_path: Path) -> None:
    other, elsewhere, link = tmp_path / "parley-other", tmp_path / "elsewhere", tmp_path / "parley-link"
    other.mkdir()
    (other / "file").touch()
    elsewhere.mkdir()
    (elsewhere / OWNER).touch()
    link.symlink_to(elsewhere)
    (tmp_path / "parley-file").touch()
    with run_folder(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"parley-other", "elsewhere", "parley-link", "parley-file"}
    assert (elsewhere / OWNER).exists()


def test_folder_of_another_user_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "parley-theirs"
    theirs.mkdir()
    (theirs / OWNER).touch()
    monkeypatch.setattr("os.getuid", lambda: 54321)
    with run_folder(tmp_path):
        assert theirs.exists()
