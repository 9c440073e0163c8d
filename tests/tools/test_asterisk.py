from pathlib import Path

import pytest

from tools import asterisk, places
from tools.packages import Archive, PackagesUnavailable

UBUNTU = Archive("ubuntu", "http://mirror.example/ubuntu", "noble", "main")


def test_old_asterisk_is_left_out_where_the_archive_is_not_debians(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "CACHE", tmp_path)
    monkeypatch.setattr(asterisk, "own_archive", lambda suite: UBUNTU)
    with pytest.raises(PackagesUnavailable, match="no Debian bullseye"):
        asterisk.prepare_old()
