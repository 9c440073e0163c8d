"""Run `parley serve` or `parley supervise` as users start it: a process, settings in a file, stopped by SIGTERM.

End-to-end tests and the demo use it beside a private Asterisk.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.asterisk import Asterisk

ROOT = Path(__file__).resolve().parents[2]
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0

LogLine = dict[str, Any]


class ParleyFailed(Exception):
    """`parley serve` did not come up, or died; the message ends with its last log lines."""


class ParleyProcess:
    """`parley serve` with settings of the demo's own."""

    def __init__(
        self,
        pbx: Asterisk,
        folder: Path,
        on_log: Callable[[LogLine], None],
        *,
        http_host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        life_s: int = 600,
        command: str = "serve",
    ) -> None:
        """Prepare; `start()` starts it.

        pbx: running.   folder: for settings, data and log.   on_log: gets every log line.
        http_host: where the settings put health and metrics.   prefix: a command that runs the rest of its line in
        its own place, such as `nsenter`.   environment: further variables of the process.   command: or `supervise`.
        """
        self._command = command
        self._pbx = pbx
        self.folder = folder
        self._on_log = on_log
        self.http_host = http_host
        self._prefix = tuple(prefix)
        self._environment = dict(environment or {})
        self._life_s = life_s
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._http_port = free_port()
        self._last_lines: list[str] = []
        self._starts = 0
        self.exit_status: int | None = None
        """Of the last run that was stopped or killed."""

    @property
    def pid(self) -> int:
        """Process id of the command itself, which `timeout` guards. Raises ParleyFailed when there is none."""
        if self._process is not None:
            for status in Path("/proc").glob("[0-9]*/stat"):
                with suppress(OSError):
                    # The program's name, in brackets, may hold spaces; state and parent follow (proc(5)).
                    if status.read_text().rpartition(")")[2].split()[1] == str(self._process.pid):
                        return int(status.parent.name)
        raise ParleyFailed("parley serve is not running")

    @property
    def http_port(self) -> int:
        """Where it serves health and metrics."""
        return self._http_port

    @property
    def settings_file(self) -> Path:
        """Its parley.toml."""
        return self.folder / "parley.toml"

    async def start(self, settings: str) -> None:
        """Write the settings, start, and wait until /ready says yes. Raises ParleyFailed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings_file.write_text(settings.format(ari_url=self._pbx.ari_url + "/ari", http_port=self._http_port))
        environment = {**os.environ, "PARLEY_ASTERISK__PASSWORD": self._pbx.ari_password, **self._environment}
        self._process = await asyncio.create_subprocess_exec(
            *self._prefix,
            "timeout",
            "--kill-after=10",
            str(self._life_s),
            sys.executable,
            "-m",
            "parley.app.cli",
            self._command,
            "--config",
            str(self.settings_file),
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd=ROOT,
        )
        self._starts += 1
        self._reading = asyncio.create_task(self._read_log(self._process))
        await self._wait_ready()

    async def stop(self) -> None:
        """Stop it as systemd would. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            # `timeout` leads a process group of its own; killed alone it would leave Parley behind.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        await self._ended(process)

    async def kill(self) -> None:
        """End it as a crash would (SIGKILL to `parley serve` alone)."""
        os.kill(self.pid, signal.SIGKILL)
        process, self._process = self._process, None
        if process is not None:
            await self._ended(process)

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        self.exit_status = await process.wait()
        if self._reading is not None:
            await self._reading

    async def _wait_ready(self) -> None:
        url = f"http://{self.http_host}:{self._http_port}/ready"
        try:
            async with asyncio.timeout(READY_TIMEOUT_S), aiohttp.ClientSession() as http:
                while self._process is not None and self._process.returncode is None:
                    with suppress(aiohttp.ClientError):
                        async with http.get(url) as answer:
                            if answer.status == 200:
                                return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            await self.stop()
        raise ParleyFailed("parley serve did not become ready\n" + "\n".join(self._last_lines[-15:]))

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        if process.stderr is None:
            return
        with (self.folder / "parley.log").open("a" if self._starts > 1 else "w", encoding="utf-8") as kept:
            async for raw in process.stderr:
                line = raw.decode(errors="replace").rstrip()
                kept.write(line + "\n")
                self._last_lines = [*self._last_lines[-40:], line]
                with suppress(json.JSONDecodeError):
                    entry = json.loads(line)
                    if isinstance(entry, dict):
                        self._on_log(entry)


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
