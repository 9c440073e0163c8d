"""Run a private Asterisk on loopback as an ordinary process, for one test or for many.

Used by the end-to-end and contract tests, by the demo and by benchmarks; several may run side by side.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.asterisk_config import (
    TEST_OVERLAY,
    PortBlock,
    Settings,
    folder_settings,
    port_settings,
    write_run_folder,
)
from tests.support.asterisk_program import AsteriskProgram, find_asterisk, require_asterisk

__all__ = ["Asterisk", "AsteriskFailed", "require_asterisk"]

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 8.0
_LONGEST_SOCKET_PATH = 107
"""Of a Unix socket's address, less its closing zero (unix(7))."""


class AsteriskFailed(RuntimeError):
    """Asterisk did not start, died, or did not answer; the message ends with its last log lines."""


class Asterisk:
    """A private Asterisk: `async with Asterisk() as pbx`.

    Its life is bounded three times: by leaving the block, by the death of this process, and by `life_s`.
    """

    def __init__(
        self,
        *,
        overlays: Iterable[Path] = (TEST_OVERLAY,),
        additions: Mapping[str, str] | None = None,
        settings: Settings | None = None,
        program: AsteriskProgram | None = None,
        ari_host: str = "127.0.0.1",
        ami_host: str = "127.0.0.1",
        life_s: int = 900,
        keep_log_in: Path | None = None,
    ) -> None:
        """Prepare an instance; nothing is started yet.

        overlays: folders whose files are appended to the configuration files of the same name.
        additions: the same as text, by file name.   settings: (file, section, key) → value, set last.
        ari_host, ami_host: numeric addresses of this machine where they listen.
        keep_log_in: folder that receives Asterisk's logs when it stops.
        """
        self.ari_username = "parley"
        self.ari_password = secrets.token_urlsafe(18)
        self.ami_username = "parley"
        self.ami_password = secrets.token_urlsafe(18)
        self.sip_host = "127.0.0.1"
        self._overlays = tuple(overlays)
        self._additions = dict(additions or {})
        self._settings = dict(settings or {})
        self._program = program
        self._ari_host = ari_host
        self._ami_host = ami_host
        self._life_s = life_s
        self._keep_log_in = keep_log_in
        self._ports: PortBlock | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._folder = Path()

    @property
    def ports(self) -> PortBlock:
        """The ports of the running instance."""
        if self._ports is None:
            raise AsteriskFailed("Asterisk has not been started")
        return self._ports

    @property
    def sip_port(self) -> int:
        """UDP port for phones and the trunk."""
        return self.ports.sip

    @property
    def ari_url(self) -> str:
        """Base address of ARI, for instance `http://127.0.0.1:8088`; the resources lie below `/ari`."""
        return f"http://{self._ari_host}:{self.ports.http}"

    @property
    def ami_port(self) -> int:
        """TCP port of AMI, on loopback."""
        return self.ports.ami

    @property
    def folder(self) -> Path:
        """The run folder: etc, data, lib, log, run, spool."""
        return self._folder

    @property
    def program(self) -> AsteriskProgram:
        """The Asterisk that is run."""
        if self._program is None:
            self._program = find_asterisk()
        return self._program

    @property
    def pid(self) -> int:
        """Process id of Asterisk itself, for measuring what it uses."""
        return int((self._folder / "run" / "asterisk.pid").read_text())

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Write the run folder, start Asterisk and wait until it has booted. Raises AsteriskFailed."""
        program = self.program
        self._folder = Path(tempfile.mkdtemp(prefix="parley-asterisk-"))
        self._ports = PortBlock.claim()
        try:
            self._write(program)
            await self.restart()
        except BaseException:
            await self.aclose()
            raise

    async def restart(self) -> None:
        """Start Asterisk again in its run folder after `kill()`; wait until it has booted. Raises AsteriskFailed."""
        await self._launch()
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await self._wait_until_booted()
        except TimeoutError as error:
            raise AsteriskFailed(f"not booted after {_START_TIMEOUT_S:.0f} s\n{self.log_tail()}") from error

    async def cli(self, command: str) -> str:
        """Run a command of Asterisk's console and return what it prints. Raises AsteriskFailed."""
        process = await asyncio.create_subprocess_exec(
            *self._command("-rx", command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                output, _ = await process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            raise AsteriskFailed(f"`{command}` failed: {output.decode(errors='replace')}\n{self.log_tail()}")
        return output.decode(errors="replace")

    async def channels(self) -> list[str]:
        """Return the names of all channels that exist now."""
        concise = await self.cli("core show channels concise")
        return [line.split("!")[0] for line in concise.splitlines() if "!" in line]

    async def bridges(self) -> list[str]:
        """Return what the console says of each bridge, channels or none in it."""
        return (await self.cli("bridge show all")).splitlines()[1:]

    async def wait_until_idle(self, timeout_s: float = 5.0) -> None:
        """Wait until neither channel nor bridge is left. Raises AsteriskFailed naming those that stay."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while left := await self.channels() or await self.bridges():
            if asyncio.get_running_loop().time() > deadline:
                raise AsteriskFailed(f"channels or bridges left behind: {', '.join(left)}")
            await asyncio.sleep(0.05)

    def queue_log(self) -> list[str]:
        """Return the lines of queue_log, without the entry that marks the start."""
        path = self._folder / "log" / "queue_log"
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        return [line for line in lines if "|QUEUESTART|" not in line and "|CONFIGRELOAD|" not in line]

    def log(self) -> list[str]:
        """Return all lines of the log, the dialplan's steps included where the overlay asks for them."""
        full = self._folder / "log" / "full.log"
        path = full if full.exists() else self._folder / "log" / "messages.log"
        return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []

    def complaints(self) -> list[str]:
        """Return the log's warnings and errors."""
        return [line for line in self.log() if re.search(r"\b(WARNING|ERROR)\[", line)]

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of the log and of the console, for error messages."""
        console = self._folder / "log" / "console"
        printed = console.read_text(encoding="utf-8", errors="replace").splitlines() if console.exists() else []
        return "\n".join([*self.log()[-lines:], *printed[-lines:]])

    async def kill(self) -> None:
        """Kill Asterisk as a crash would (SIGKILL), leaving the run folder."""
        if self._process is not None:
            asterisk = Path(f"/proc/{self.pid}")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            # What is waited for above is its guard.
            while asterisk.exists():
                await asyncio.sleep(0.01)

    async def aclose(self) -> None:
        """Stop Asterisk and remove its run folder. May be called twice."""
        process, self._process = self._process, None
        try:
            if process is not None and process.returncode is None:
                await self._stop(process)
        finally:
            if self._ports is not None:
                self._ports.release()
            if self._folder.name:
                self._keep_log()
                shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, program: AsteriskProgram) -> None:
        if len(str(self._folder / "run" / "asterisk.ctl")) > _LONGEST_SOCKET_PATH:
            raise AsteriskFailed(f"{self._folder} is too long a path for Asterisk's control socket: set TMPDIR")
        settings = {
            **folder_settings(self._folder, program),
            **port_settings(self.ports),
            ("ari.conf", "parley", "password"): self.ari_password,
            ("http.conf", "general", "bindaddr"): self._ari_host,
            ("manager.conf", "general", "bindaddr"): self._ami_host,
            **self._settings,
        }
        # The repository's file has no secret, so that nobody can log in with one that everybody knows.
        ami_user = f"[{self.ami_username}](+)\nsecret = {self.ami_password}\n"
        additions = {**self._additions, "manager.conf": ami_user + self._additions.get("manager.conf", "")}
        write_run_folder(self._folder, program, settings, self._overlays, additions)

    async def _launch(self) -> None:
        # `timeout` leads a process group of its own, which Asterisk joins; both die with this process.
        guard = ["setpriv", "--pdeathsig", "TERM", "timeout", "--kill-after=5", str(self._life_s)]
        with (self._folder / "log" / "console").open("ab") as console:
            self._process = await asyncio.create_subprocess_exec(
                *guard,
                *("setpriv", "--pdeathsig", "KILL"),
                *self._command("-f", "-n"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self._folder,
            )

    def _command(self, *arguments: str) -> list[str]:
        return [*self.program.command, "-C", str(self._folder / "etc" / "asterisk.conf"), *arguments]

    async def _wait_until_booted(self) -> None:
        control = self._folder / "run" / "asterisk.ctl"
        while True:
            if self._process is None or self._process.returncode is not None:
                raise AsteriskFailed(f"Asterisk ended while starting\n{self.log_tail()}")
            if control.exists():
                with contextlib.suppress(AsteriskFailed):
                    if "fully booted" in await self.cli("core waitfullybooted"):
                        return
            await asyncio.sleep(0.05)

    @staticmethod
    async def _stop(process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def _keep_log(self) -> None:
        if self._keep_log_in is not None:
            shutil.copytree(self._folder / "log", self._keep_log_in, dirs_exist_ok=True)
