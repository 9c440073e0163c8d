"""How many files and sockets a node asks for, and what it says when it does not get them."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from parley.app.doctor import check_open_files
from parley.app.findings import Level
from parley.app.open_files import allow_open_files, open_files_needed
from parley.app.settings import Settings
from parley.app.settings_tables import LimitSettings


def settings_for(calls: int) -> Settings:
    return Settings(limits=LimitSettings(max_calls=calls))


@pytest.fixture
def hard() -> Iterator[int]:
    """This process with a low limit of its own; afterwards it has the one it had."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
    try:
        yield before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_default_number_of_calls_does_with_what_services_get() -> None:
    assert open_files_needed(settings_for(20)) <= 1024


def test_limit_of_the_process_is_raised_for_many_calls(hard: int, caplog: pytest.LogCaptureFixture) -> None:
    allow_open_files(settings_for(500))
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (open_files_needed(settings_for(500)), hard)
    assert caplog.records == []


def test_limit_that_is_high_enough_stays(hard: int) -> None:
    allow_open_files(settings_for(20))
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1024, hard)


def test_node_that_gets_too_few_takes_what_it_gets_and_says_so(hard: int, caplog: pytest.LogCaptureFixture) -> None:
    allow_open_files(settings_for(hard))
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    [told] = caplog.records
    assert told.getMessage() == "fewer files and sockets may be open than limits.max_calls needs"
    assert told.__dict__["allowed"] == hard
    assert told.__dict__["needed"] == open_files_needed(settings_for(hard))


def test_doctor_warns_where_calls_need_more_than_this_user_may_have(hard: int) -> None:
    enough, too_few = check_open_files(settings_for(500)), check_open_files(settings_for(hard))
    assert enough.level is Level.OK
    assert too_few.level is Level.WARNING
    assert str(hard) in too_few.detail
    assert "LimitNOFILE" in too_few.fix
