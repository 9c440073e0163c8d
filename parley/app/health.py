"""HTTP for those who watch a node: /metrics, /health (it lives), /ready (it can take calls). Loopback by default."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from audio_fork.refusals import Refusals
from parley import __version__
from parley.app.exit_status import is_passing
from parley.app.metrics import Metrics
from parley.app.settings_tables import NotYet, SettingsError

Check = Callable[[], Awaitable[str]]
"""Returns an empty string, or what is wrong; it does not raise."""

CHECK_TIMEOUT_S = 2.0
END_S = 1.0
"""For requests that are being answered when the server ends; a client that does not read would keep it."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found last."""

    problem: str
    """Empty when the check passes."""
    since: float
    """When the check was first seen to pass (or to fail) without a change since; seconds since the epoch, UTC."""


class HealthServer:
    """Serves metrics and health. `await start()`, `await aclose()`.

    The checks run when /ready or /metrics is asked for: `since` is as exact as those are frequent.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        checks: Mapping[str, Check],
        metrics: Metrics,
        routes: Iterable[web.RouteDef] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        """port: 0 takes a free one.   checks: by their names in /ready, for instance `pbx`, `database`.

        routes: what else is served here.
        """
        self._host = host
        self._port = port
        self._checks = checks
        self._metrics = metrics
        self._routes = tuple(routes)
        self._now = now
        self._started_at = now()
        self._results: dict[str, CheckResult] = {}
        self._runner: web.AppRunner | None = None
        self._http_logger = logging.getLogger(f"{__name__}.http")
        self._filter = _NonsenseFilter()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    async def start(self) -> None:
        """Listen. Raises SettingsError when host or port cannot be had; NotYet, when not now."""
        application = web.Application()
        application.add_routes(
            [
                web.get("/health", self._health),
                web.get("/ready", self._ready),
                web.get("/metrics", self._exposition),
                *self._routes,
            ]
        )
        self._http_logger.addFilter(self._filter)
        self._runner = web.AppRunner(application, access_log=None, logger=self._http_logger, shutdown_timeout=END_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as err:
            await self.aclose()
            kind = NotYet if is_passing(err) else SettingsError
            raise kind(_explain(err, self._host, self._port)) from err
        self._port = self._runner.addresses[0][1]

    async def aclose(self) -> None:
        """Stop listening. May be called twice."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            self._http_logger.removeFilter(self._filter)

    async def check(self) -> dict[str, CheckResult]:
        """Run all checks side by side and return what they found."""
        problems = await asyncio.gather(*(_problem(check) for check in self._checks.values()))
        for name, problem in zip(self._checks, problems, strict=True):
            before = self._results.get(name)
            unchanged = before is not None and bool(before.problem) == bool(problem)
            self._results[name] = CheckResult(problem, before.since if before and unchanged else self._now())
            self._metrics.checked(name, not problem)
        return dict(self._results)

    async def _health(self, request: web.Request) -> web.Response:
        """Answer whenever the event loop turns."""
        uptime_s = round(self._now() - self._started_at, 1)
        return web.json_response({"status": "alive", "version": __version__, "uptime_s": uptime_s})

    async def _ready(self, request: web.Request) -> web.Response:
        """Answer 200 when a call can be taken, else 503; the body says what stands in the way and since when."""
        results = await self.check()
        ready = not any(result.problem for result in results.values())
        body = {"ready": ready, "checks": {name: _shown(result) for name, result in results.items()}}
        return web.json_response(body, status=200 if ready else 503)

    async def _exposition(self, request: web.Request) -> web.Response:
        await self.check()
        body, content_type = self._metrics.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})


class _NonsenseFilter(logging.Filter):
    """Keeps aiohttp from logging, with a traceback each, what strangers send that is no HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self._refusals = Refusals("nonsense at the HTTP port refused")

    def filter(self, record: logging.LogRecord) -> bool:
        """Let pass whatever is a fault of ours."""
        if record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError):
            return True
        self._refusals.add("no_http", str(record.args[0]) if isinstance(record.args, tuple) and record.args else "")
        return False


async def _problem(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:g} s"


def _shown(result: CheckResult) -> dict[str, object]:
    since = datetime.fromtimestamp(result.since, UTC).isoformat(timespec="seconds")
    shown: dict[str, object] = {"ok": not result.problem, "since": since}
    return shown | {"problem": result.problem} if result.problem else shown


def _explain(err: OSError, host: str, port: int) -> str:
    """Name the setting at fault and what to do."""
    if err.errno == errno.EADDRINUSE:
        return (
            f"[http] port = {port}: another program listens on {host}:{port} already; "
            f"`ss -ltnp 'sport = :{port}'` shows which one: stop it, or choose another port"
        )
    if err.errno in (errno.EACCES, errno.EPERM):
        return f"[http] port = {port}: not permitted to listen there; choose a port above 1023"
    return f"[http] host = {host!r}: cannot listen there ({err.strerror}); it must be an address of this machine"
