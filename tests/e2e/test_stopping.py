"""`parley serve` told to stop while a step of it hangs: it says which one, and is gone in time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from parley.app.closing_deadline import CLOSE_WITHIN_S
from parley.app.exit_status import HANGS
from tests.support.parley_process import ROOT, free_port

pytestmark = pytest.mark.e2e

SETTINGS = """
data_dir = "data"

[asterisk]
url = "http://127.0.0.1:9/ari"

[http]
port = {port}

[log]
json_lines = true

[agents.reception]
flow = "stuck.yaml"
"""
LISTENING = "the inference worker is listening"
"""Told while the node reads its call scripts, or would."""


async def test_node_whose_disk_does_not_answer_ends_in_time_and_names_the_file_s_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stuck.yaml")  # nobody writes: a read never ends
    (tmp_path / "parley.toml").write_text(SETTINGS.format(port=free_port()), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parley.app.cli", "serve", "--config", str(tmp_path / "parley.toml")),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PARLEY_ASTERISK__PASSWORD": "none"},
        cwd=ROOT,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(40.0):
            while LISTENING not in (await process.stderr.readline()).decode():
                pass
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(CLOSE_WITHIN_S + 10.0):
            lines = (await process.stderr.read()).decode().splitlines()
            assert await process.wait() == HANGS
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert any("loader.py" in thread for thread in json.loads(lines[-1])["threads"])
