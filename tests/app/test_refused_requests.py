"""Every request of a call refused, unanswered or cut off, and callers who go at every one of them.

Whatever fails: the call ends and is recorded, nothing of ours stays at the PBX, and a caller who is still there goes on
in the dialplan, by us or by the timer. Each test holds one call per request and fault, many at the same time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from parley.conversation.record import EndReason
from tests.app.ari_calls import CALLER, AriNode, ari_node
from tests.app.test_switchboard import GOODBYE, PERSON
from tests.ari_app.ari_server import Request
from tests.ari_app.small_pbx import TIMER, Fault, Matches, small_pbx

MEDIA = r"/channels/parley-media\.parley\.[0-9a-f]+"
BRIDGE = r"/bridges/parley-bridge\.parley\.[0-9a-f]+"

Case = TypeVar("Case")


def request(pattern: str, **body: str) -> Matches:
    """Match requests by `METHOD /path` and by parts of their bodies (regular expressions)."""

    def matches(asked: Request) -> bool:
        named = re.fullmatch(pattern, str(asked)) is not None
        return named and all(re.fullmatch(text, str(asked.body.get(key, ""))) for key, text in body.items())

    return matches


SET_RESULT = request(f"POST /channels/{CALLER}/variable", variable="PARLEY_.*")
SET_UP = {
    "start the timer": request(f"POST /channels/{CALLER}/variable", variable=re.escape(TIMER), value="0?[^0].*"),
    "make the media leg": request("POST /channels/externalMedia"),
    "make the bridge": request(f"POST {BRIDGE}"),
    "put the caller into it": request(f"POST {BRIDGE}/addChannel", channel=re.escape(CALLER)),
    "put the media leg into it": request(f"POST {BRIDGE}/addChannel", channel="parley-media.*"),
    "answer": request(f"POST /channels/{CALLER}/answer"),
}
HAND_OVER = {
    "set the result": SET_RESULT,
    "stop the timer": request(f"POST /channels/{CALLER}/variable", variable=re.escape(TIMER), value="0"),
    "go on": request(f"POST /channels/{CALLER}/continue"),
}
NO_TIMERS = {"set any timer": request(f"POST /channels/{CALLER}/variable", variable=re.escape(TIMER))}
HANGING_UP = {"set the result": SET_RESULT, "hang up": request(f"DELETE /channels/{CALLER}")}
CLEAN_UP = {"end the media leg": request(f"DELETE {MEDIA}"), "end the bridge": request(f"DELETE {BRIDGE}")}
REQUESTS = SET_UP | HAND_OVER | NO_TIMERS | HANGING_UP | CLEAN_UP

FAULTS = [
    *(Fault(status) for status in (400, 404, 409, 412, 422, 500, 503)),
    *(Fault(resets=resets, carried_out=carried_out) for resets in (False, True) for carried_out in (False, True)),
]


AT_ONCE = 6
"""Calls: what a busy test machine keeps up with within their deadlines."""


def every(requests: Mapping[str, Matches], cases: Iterable[Case]) -> list[tuple[str, Case]]:
    """Combine every request's name with every case."""
    return [(name, case) for name in requests for case in cases]


async def for_each(cases: Iterable[tuple[str, Case]], scenario: Callable[[str, Case], Awaitable[None]]) -> None:
    """Play the scenario with every case, many at the same time; a failure names its case."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def named(name: str, case: Case) -> None:
        async with slots:
            try:
                await scenario(name, case)
            except AssertionError as err:
                err.add_note(f"{name}: {case}")
                raise

    async with asyncio.TaskGroup() as group:
        for name, case in cases:
            group.create_task(named(name, case))


@asynccontextmanager
async def failing(folder: Path, flow: str, name: str, fault: Fault, times: int = 1000) -> AsyncIterator[AriNode]:
    """Run a node whose Asterisk fails the requests of this name."""
    own = folder / f"{name} {fault}"
    own.mkdir()
    async with small_pbx() as pbx:
        pbx.fail(REQUESTS[name], fault, times)
        async with ari_node(own, flow, pbx, deadline_s=1.0 if fault.is_silence else 4.0) as node:
            yield node


def faults_of_ours(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.exc_info]


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


async def test_caller_whose_transfer_meets_a_fault_reaches_somebody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(name: str, fault: Fault) -> None:
        async with failing(tmp_path, PERSON, name, fault) as node:
            end = await node.call()
            assert await node.caller_is_cared_for(), "the caller is kept"
            assert node.pbx.went_on | node.pbx.fell_back == {CALLER}
            if not node.pbx.fell_back:
                assert node.pbx.values[CALLER]["PARLEY_STATUS"] in {"TRANSFER", "FAILED"}
            assert await node.nothing_is_left()
            assert end.reason in {EndReason.TRANSFERRED, EndReason.FAILED, EndReason.CALLER_HUNG_UP}

    await for_each(every(SET_UP | HAND_OVER | NO_TIMERS, FAULTS), scenario)
    assert faults_of_ours(caplog) == []


async def test_caller_who_cannot_be_hung_up_is_not_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(name: str, fault: Fault) -> None:
        async with failing(tmp_path, GOODBYE, name, fault) as node:
            end = await node.call()
            assert await node.caller_is_cared_for(), "the caller is kept"
            assert node.pbx.hung_up | node.pbx.fell_back == {CALLER}
            assert await node.nothing_is_left()
            assert end.reason is EndReason.COMPLETED

    await for_each(every(HANGING_UP, FAULTS), scenario)
    assert faults_of_ours(caplog) == []


async def test_what_could_not_be_deleted_is_deleted_later(tmp_path: Path) -> None:
    async def scenario(name: str, fault: Fault) -> None:
        async with failing(tmp_path, PERSON, name, fault, times=2) as node:
            await node.call()
            assert node.pbx.went_on == {CALLER}
            assert await node.nothing_is_left()

    # 404 says that it is gone.
    await for_each(every(CLEAN_UP, [fault for fault in FAULTS if fault.status != 404]), scenario)


async def test_caller_who_goes_at_any_request_leaves_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(name: str, case: tuple[str, str]) -> None:
        way, when = case
        async with small_pbx() as pbx:
            goes = pbx.caller_hangs_up if way == "hangs up" else pbx.operator_takes
            pbx.at(REQUESTS[name], lambda: goes(CALLER), answer_first=when == "after the answer")
            own = tmp_path / f"{name} {way} {when}"
            own.mkdir()
            async with ari_node(own, PERSON, pbx) as node:
                end = await node.call()
                assert await node.caller_is_cared_for()
                assert await node.nothing_is_left()
                assert pbx.fell_back == set()
                assert end.reason in {EndReason.CALLER_HUNG_UP, EndReason.TAKEN_AWAY, EndReason.TRANSFERRED}

    ways, moments = ("hangs up", "is taken"), ("before the answer", "after the answer")
    await for_each(every(SET_UP | HAND_OVER, [(way, when) for way in ways for when in moments]), scenario)
    assert errors(caplog) == []


async def test_caller_who_hangs_up_while_we_do_leaves_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(name: str, when: str) -> None:
        async with small_pbx() as pbx:
            pbx.at(REQUESTS[name], lambda: pbx.caller_hangs_up(CALLER), answer_first=when == "after the answer")
            own = tmp_path / f"{name} {when}"
            own.mkdir()
            async with ari_node(own, GOODBYE, pbx) as node:
                end = await node.call()
                assert await node.caller_is_cared_for()
                assert await node.nothing_is_left()
                assert end.reason in {EndReason.CALLER_HUNG_UP, EndReason.COMPLETED}

    await for_each(every(HANGING_UP, ["before the answer", "after the answer"]), scenario)
    assert errors(caplog) == []
