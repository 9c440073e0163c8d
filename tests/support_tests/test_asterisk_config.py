from pathlib import Path

import pytest

from tests.support.asterisk_config import CONFIGURATION, DIALPLANS, OptionMissing, PortBlock, set_option
from tests.support.asterisk_program import REPOSITORY


def test_option_is_set_in_its_own_section_only() -> None:
    text = "[one]\nport = 1 ; comment\n[two](base)\nport=2\n"
    assert set_option(text, "two", "port", "9") == "[one]\nport = 1 ; comment\n[two](base)\nport= 9\n"


def test_option_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OptionMissing):
        set_option("[one]\nport = 1\n", "two", "port", "9")


def test_two_instances_get_different_ports() -> None:
    first, second = PortBlock.claim(), PortBlock.claim()
    try:
        assert set(range(first.first, first.rtp[1] + 1)).isdisjoint(range(second.first, second.rtp[1] + 1))
    finally:
        first.release()
        second.release()


def test_ari_user_has_no_password_in_the_repository() -> None:
    lines = (CONFIGURATION / "ari.conf").read_text(encoding="utf-8").splitlines()
    assert "password =" in lines


def test_ami_is_off_and_its_user_has_no_secret_in_the_repository() -> None:
    """An empty secret would let anybody log in."""
    lines = (CONFIGURATION / "manager.conf").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("enabled = no") for line in lines)
    assert not any(line.startswith("secret") for line in lines)


@pytest.mark.parametrize("folder", [CONFIGURATION, DIALPLANS], ids=lambda folder: folder.name)
def test_every_address_is_loopback(folder: Path) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.conf"))
    assert "0.0.0.0" not in text
    assert str(REPOSITORY) not in text
