"""The table of this run, the site that most families of cases share, and the case of each test.

A test names its case by `@pytest.mark.case("what fails")`; with several names it tries several faults at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.case import Case, have_a_call, open_case
from tests.faults.place import Place
from tests.faults.site import FaultSite, open_site
from tests.faults.table import FILE, FaultTable, Row
from tests.support.speech import require_speech

TABLE = pytest.StashKey[FaultTable]()
FAILURE = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin an empty table."""
    config.stash[TABLE] = FaultTable()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FaultSite]:
    """Asterisk and Parley on loopback, for all families that need no place of their own."""
    require_speech()
    folder = tmp_path_factory.mktemp("site")
    async with open_site(folder, Place(folder / "data")) as opened:
        await have_a_call(opened)
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def case(request: pytest.FixtureRequest, site: FaultSite) -> AsyncIterator[Case]:
    """The test's case; judged when the test is over."""
    rows = [Row(name) for name in case_names(request.node)]
    await site.recover()
    async with open_case(site, rows) as opened:
        yield opened
        opened.failure = request.node.stash.get(FAILURE, "")
    request.config.stash[TABLE].rows += rows
    assert all(row.passed for row in rows), [row for row in rows if not row.passed]


def case_names(item: pytest.Item) -> list[str]:
    """Return the names that a test's marker gives, with the audio's transport where the test is for several."""
    marker = item.get_closest_marker("case")
    assert marker is not None, f"{item.name} has no @pytest.mark.case"
    callspec = getattr(item, "callspec", None)
    transport = callspec.params.get("site") if callspec is not None else None
    return [f"{name}, audio by {transport}" if transport else str(name) for name in marker.args]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the case why its test failed; enter a case that is left out, and one whose site did not come up."""
    report = yield
    table = item.config.stash[TABLE]
    if report.skipped and isinstance(report.longrepr, tuple):
        table.rows += [Row(name, left_out=report.longrepr[2].removeprefix("Skipped: ")) for name in case_names(item)]
    elif report.failed and call.excinfo is not None:
        reason = f"{call.excinfo.typename}: {str(call.excinfo.value).partition(chr(10))[0]}"
        item.stash[FAILURE] = reason
        if call.when == "setup":
            table.rows += [Row(name, note=reason) for name in case_names(item)]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table, and write it."""
    table = config.stash[TABLE]
    if table.rows:
        table.write()
        terminalreporter.section("faults")
        for line in table.lines():
            terminalreporter.write_line(line)
        terminalreporter.write_line(
            f"written to {FILE.relative_to(Path.cwd()) if FILE.is_relative_to(Path.cwd()) else FILE}"
        )
