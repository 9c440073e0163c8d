import pytest

from ari_app.asterisk_info import AsteriskInfo
from parley.app.doctor_version import ABSENT_BEFORE_18, check_transfers, check_version
from parley.app.findings import Level


def test_supported_version_is_all_that_is_said() -> None:
    [finding] = check_version("22.10.1", 22)
    assert (finding.level, finding.detail) == (Level.OK, "Asterisk 22.10.1")


def test_build_without_a_number_is_not_called_old() -> None:
    [finding] = check_version("GIT-master-1a2b3c", 0)
    assert finding.level is Level.OK


def test_old_version_is_warned_of_with_each_thing_that_it_lacks() -> None:
    version, *absent = check_version("16.28.0", 16)
    assert version.level is Level.WARNING
    assert "16.28.0" in version.detail
    assert [finding.detail for finding in absent] == [what for what, _ in ABSENT_BEFORE_18]
    assert all(finding.level is Level.WARNING for finding in absent)


@pytest.mark.parametrize("version", ["22.10.1", "20.20.0", "GIT-master-1a2b3c"])
def test_transfers_by_parley_on_an_asterisk_that_callers_can_crash_are_a_problem(version: str) -> None:
    [finding] = check_transfers(AsteriskInfo(version), transfers_by_us=True)
    assert (finding.level, finding.check) == (Level.PROBLEM, "transfers")
    assert version in finding.detail
    assert 'transfers = "auto"' in finding.fix
    assert "22.11" in finding.fix


@pytest.mark.parametrize(
    ("version", "transfers_by_us"), [("22.11.0", True), ("22.10.1", None), ("22.10.1", False), ("22.11.0", None)]
)
def test_nothing_is_said_of_transfers_that_crash_nobody(version: str, transfers_by_us: bool | None) -> None:
    assert list(check_transfers(AsteriskInfo(version), transfers_by_us)) == []
