"""The inference worker as a child process: started, watched by its health service, restarted, stopped.

`app` runs `WorkerProcess.run()` in the node's task group; the clients of the worker need not know of restarts, as
their channel reconnects by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from parley.conversation.errors import EngineUnavailable
from parley.inference.client import open_channel
from parley.inference.load_time import START_S

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watch:
    """How closely the worker is watched, in seconds."""

    start_s: float = START_S
    """From its start to its first healthy answer: models are loaded in this time, 2 s for those of the defaults."""
    interval_s: float = 0.5
    """Between two looks at its health."""
    answer_s: float = 1.0
    """For an answer to one look."""
    misses: int = 3
    """Unanswered looks in a row after which it is taken for dead and killed."""
    backoff_s: float = 0.1
    """Before the first restart; doubles with each one that fails to become healthy or soon dies."""
    max_backoff_s: float = 5.0
    stable_s: float = 30.0
    """After this long in health the back-off starts from the beginning."""
    stop_s: float = 3.0
    """From the end of its standard input to SIGKILL."""


class WorkerProcess:
    """A worker that lives as long as `run()` does.

    The command must serve on `address` and end when its standard input does (`serve(..., parent_pipe=0)`): so it
    dies with this process however this process ends, and not before. It runs in a session of its own: Ctrl-C at the
    terminal is for this process, which still has calls to end with the worker's help.
    """

    def __init__(
        self,
        command: Sequence[str],
        address: str,
        watch: Watch | None = None,
        *,
        on_restart: Callable[[], None] | None = None,
    ) -> None:
        """Prepare.   on_restart: called at each start after the first."""
        self._on_restart = on_restart
        self._command = list(command)
        self._address = address
        self._watch = watch or Watch()
        self._ready = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self.starts = 0
        """How often the worker was started."""

    @property
    def ready(self) -> bool:
        """Whether the worker answered the latest look at its health."""
        return self._ready.is_set()

    @property
    def pid(self) -> int | None:
        """Its process id; None while there is none."""
        return self._process.pid if self._process is not None else None

    async def wait_ready(self, timeout_s: float) -> None:
        """Return when the worker is healthy. Raises EngineUnavailable."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError as err:
            raise EngineUnavailable(f"the inference worker is not ready after {timeout_s} s") from err

    async def run(self) -> None:
        """Keep a worker running. Never returns; cancelling stops the worker.

        Raises OSError if the command cannot be executed at the first start; later that is tried again, too.
        """
        backoff_s = self._watch.backoff_s
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            end = await self._live()
            if loop.time() - started > self._watch.stable_s:
                backoff_s = self._watch.backoff_s
            logger.warning(
                "the inference worker is gone and will be started again",
                extra={"end": end, "starts": self.starts, "backoff_s": backoff_s},
            )
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, self._watch.max_backoff_s)

    async def _live(self) -> str:
        """Start a worker, watch it until it is ill and have it ended; return what became of it, for the log."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, start_new_session=True
            )
        except OSError as err:
            if self.starts == 0:
                raise
            return f"not started: {err.strerror}"
        self._process = process
        self.starts += 1
        try:
            if self.starts > 1 and self._on_restart is not None:
                self._on_restart()
            await self._until_ill(process)
        finally:
            self._ready.clear()
            self._process = None
            await self._end(process)
        return f"exit status {process.returncode}"

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """End the process: by closing its standard input, then by force (a stopped one cannot heed anything)."""
        try:
            if process.stdin is not None:
                process.stdin.close()
            await _ends_within(process, self._watch.stop_s)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _until_ill(self, process: asyncio.subprocess.Process) -> None:
        """Return when the process has ended, did not become healthy in time, or stopped answering."""
        async with open_channel(self._address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            deadline = asyncio.get_running_loop().time() + self._watch.start_s
            misses = 0
            while misses < self._watch.misses:
                if await self._healthy(health):
                    misses = 0
                    self._ready.set()
                elif self.ready:
                    misses += 1
                elif asyncio.get_running_loop().time() > deadline:
                    return
                if await _ends_within(process, self._watch.interval_s if self.ready else 0.05):
                    return

    async def _healthy(self, health: health_pb2_grpc.HealthStub) -> bool:
        try:
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=self._watch.answer_s)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _ends_within(process: asyncio.subprocess.Process, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        return False
    return True
