import subprocess
import sys
from pathlib import Path

import pytest

from tools.packages import Archive, PackagesUnavailable, choose_site, own_loader
from tools.places import REPOSITORY


def test_release_itself_counts_and_not_its_companions() -> None:
    targets = (
        "http://security.example/debian-security|bookworm-security|main\n"
        "http://mirror.example/debian|bookworm-updates|main\n"
        "http://mirror.example/debian|bookworm|contrib\n"
        "http://mirror.example/debian|bookworm|main\n"
        "http://other.example/node|nodistro|main\n"
    )
    assert choose_site(targets, "bookworm") == "http://mirror.example/debian"


def test_rolling_suite_is_found_without_its_codename() -> None:
    targets = "http://s.example/x|trixie-security|main\nhttp://mirror.example/debian|unstable|main\n"
    assert choose_site(targets, "") == "http://mirror.example/debian"


def test_machine_without_a_main_archive_is_told_so() -> None:
    with pytest.raises(PackagesUnavailable, match="no main archive"):
        choose_site("http://other.example/node|nodistro|stable\n", "bookworm")


def test_source_line_names_the_suite_and_the_components() -> None:
    line = Archive("ubuntu", "http://mirror.example/ubuntu", "noble", "main universe").source_line
    assert line.startswith("deb ")
    assert line.endswith("http://mirror.example/ubuntu noble main universe\n")


def test_loader_that_leads_out_of_the_tree_is_passed_over(tmp_path: Path) -> None:
    real = tmp_path / "root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    outside = tmp_path / "root/usr/lib64/ld-linux-x86-64.so.2"
    for path in (real, outside):
        path.parent.mkdir(parents=True)
    real.touch()
    outside.symlink_to("/lib64/ld-linux-x86-64.so.2")
    assert own_loader(tmp_path / "root")[0] == str(real)


def test_tree_without_a_loader_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PackagesUnavailable, match="no loader"):
        own_loader(tmp_path)


def test_old_python_is_told_what_it_needs() -> None:
    source = (REPOSITORY / "tools/prepare.py").read_text(encoding="utf-8")
    pretended = source.replace("sys.version_info < OLDEST_PYTHON", "True", 1)
    told = subprocess.run([sys.executable, "-c", pretended], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "Parley needs Python 3.11 or later" in told.stderr
