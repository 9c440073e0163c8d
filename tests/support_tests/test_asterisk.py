"""The private Asterisk itself: what starts, what is refused, what is left behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import urllib.error
import urllib.request

import pytest

from tests.support.asterisk import Asterisk, AsteriskFailed, require_asterisk
from tests.support.asterisk_program import REPOSITORY
from tests.support.recording import tone
from tests.support.sip_phone import SipPhone

pytestmark = pytest.mark.e2e


def ari_status(pbx: Asterisk, user: str, password: str) -> int:
    """Return the HTTP status of ARI's list of applications."""
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, pbx.ari_url, user, password)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    try:
        with opener.open(f"{pbx.ari_url}/ari/applications", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


async def test_own_configuration_starts_without_a_complaint() -> None:
    async with Asterisk(program=require_asterisk(), overlays=()) as pbx:
        assert pbx.complaints() == []
        assert "parley-queue-agent" in await pbx.cli("queue show support")
        assert await asyncio.to_thread(ari_status, pbx, pbx.ari_username, pbx.ari_password) == 200
        assert await asyncio.to_thread(ari_status, pbx, pbx.ari_username, "wrong") == 401
        folder, pid = pbx.folder, pbx.pid
    assert not folder.exists()
    assert not os.path.exists(f"/proc/{pid}")


async def test_nobody_can_log_in_while_the_password_is_empty() -> None:
    settings = {("ari.conf", "parley", "password"): ""}
    async with Asterisk(program=require_asterisk(), settings=settings) as pbx:
        for password in ("", "parley", pbx.ari_password):
            assert await asyncio.to_thread(ari_status, pbx, "parley", password) == 401


async def test_two_instances_side_by_side_carry_calls_of_their_own() -> None:
    program = require_asterisk()
    async with Asterisk(program=program) as first, Asterisk(program=program) as second:
        for pbx in (first, second):
            async with SipPhone("+15551234", server=(pbx.sip_host, pbx.sip_port)) as phone:
                call = await phone.call("900")
                await call.say(tone(500, 0.3))
                assert len(await pbx.channels()) == 1
        assert first.pid != second.pid


async def test_broken_configuration_is_reported_with_the_log() -> None:
    with pytest.raises(AsteriskFailed, match="ended while starting"):
        async with Asterisk(program=require_asterisk(), additions={"modules.conf": "require = no_such_module.so"}):
            pass


async def test_asterisk_dies_with_the_process_that_started_it() -> None:
    require_asterisk()
    script = (
        "import asyncio\n"
        "from tests.support.asterisk import Asterisk\n"
        "async def main():\n"
        "    async with Asterisk() as pbx:\n"
        "        print(pbx.pid, pbx.folder, flush=True)\n"
        "        await asyncio.sleep(30)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid_printed, folder_printed = (await asyncio.wait_for(parent.stdout.readline(), 20)).decode().split()
    pid = int(pid_printed)
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    shutil.rmtree(folder_printed, ignore_errors=True)
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}"):
            break
        await asyncio.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}")
