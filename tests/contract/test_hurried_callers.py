"""Callers who hang up at any moment of the set-up, on a real Asterisk: nothing of theirs stays anywhere."""

from __future__ import annotations

import asyncio
import gc
import os
from contextlib import aclosing
from pathlib import Path

import pytest

from ari_app import AriCallControl, AriRest
from parley.conversation.record import CallEnd, EndReason
from tests.app.ari_calls import switchboard_on
from tests.app.test_switchboard import QUESTION
from tests.contract.benches import CALLER, until
from tests.e2e.open_files import OpenFiles, open_files
from tests.fakes.call_log import FakeCallLog
from tests.support.asterisk import Asterisk
from tests.support.sip_phone import PhoneCall, SipPhone

pytestmark = [pytest.mark.contract, pytest.mark.asyncio(loop_scope="module")]

AFTER_MS = [*range(0, 40, 2), *range(40, 205, 5)]
AT_ONCE = 3


async def test_dozens_of_callers_who_hang_up_during_set_up_leave_nothing(
    asterisk: Asterisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"{asterisk.ari_url}/ari"
    control = AriCallControl(url, asterisk.ari_username, asterisk.ari_password)
    rest = AriRest(url, asterisk.ari_username, asterisk.ari_password)
    log = FakeCallLog()
    server = (asterisk.sip_host, asterisk.sip_port)
    async with (
        aclosing(rest),
        SipPhone(CALLER, server=server) as phone,
        switchboard_on(control, tmp_path, QUESTION, log) as switchboard,
    ):

        async def nothing() -> bool:
            return not switchboard.active_calls and not await rest.channels() and not await rest.bridges()

        await _hurry(phone, 0)
        assert await until(nothing)
        files, tasks = _open_files(), _tasks()
        for after_ms in AFTER_MS:
            await asyncio.gather(*(_hurry(phone, after_ms) for _ in range(AT_ONCE)))
        assert await until(nothing), f"{await rest.channels()} {await rest.bridges()}"

        async def as_before() -> bool:
            return _open_files() == files and _tasks() <= tasks

        assert await until(as_before), f"open files {files} -> {_open_files()}, tasks {tasks} -> {_tasks()}"
    reasons = [fact.reason for fact in log.facts if isinstance(fact, CallEnd)]
    assert set(reasons) == {EndReason.CALLER_HUNG_UP}
    assert len(reasons) > len(AFTER_MS), "hardly anybody was offered"
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def _hurry(phone: SipPhone, after_ms: int) -> None:
    """Call and hang up so long after Asterisk has taken the call."""
    call: PhoneCall = phone.dial("920")

    async def taken() -> bool:
        return bool(call.provisional_codes) or call.is_answered

    assert await until(taken)
    await asyncio.sleep(after_ms / 1000)
    await call.hangup()
    call.media.close()


def _open_files() -> OpenFiles:
    gc.collect()
    return open_files(os.getpid())


def _tasks() -> int:
    return len(asyncio.all_tasks())
