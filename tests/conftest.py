"""Fixtures that every package's tests may use; nothing here starts anything at import."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator

import pytest
import pytest_asyncio

from tests.support.asterisk import Asterisk, require_asterisk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    """A private Asterisk with the repository's own configuration, one for all tests of a module.

    The module says `pytestmark = pytest.mark.asyncio(loop_scope="module")`.
    """
    async with Asterisk(program=require_asterisk()) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of Asterisk's log to the report of a test that failed with one."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for value in item.funcargs.values():
            if isinstance(value, Asterisk):
                report.sections.append(("Asterisk's log", value.log_tail()))
    return report
