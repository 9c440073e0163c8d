import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from parley.app.health import END_S, HealthServer
from parley.app.metrics import Metrics
from parley.app.settings_tables import SettingsError


class Checks:
    """Two conditions and a wall clock that a test can change."""

    def __init__(self) -> None:
        self.pbx_problem = ""
        self.database_problem = ""
        self.now = 1763791200.0

    async def pbx(self) -> str:
        return self.pbx_problem

    async def database(self) -> str:
        return self.database_problem

    def time(self) -> float:
        return self.now


@pytest.fixture
def checks() -> Checks:
    return Checks()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def server(checks: Checks, metrics: Metrics) -> AsyncIterator[HealthServer]:
    server = HealthServer(
        "127.0.0.1",
        0,
        checks={"pbx": checks.pbx, "database": checks.database},
        metrics=metrics,
        now=checks.time,
    )
    await server.start()
    yield server
    await server.aclose()


@pytest.fixture
async def client(server: HealthServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield session


async def test_health_answers_even_when_nothing_is_ready(checks: Checks, client: aiohttp.ClientSession) -> None:
    checks.pbx_problem = checks.database_problem = "gone"
    checks.now += 60
    async with client.get("/health") as answer:
        assert answer.status == 200
        body = await answer.json()
    assert (body["status"], body["uptime_s"]) == ("alive", 60.0)


async def test_ready_when_every_check_passes(client: aiohttp.ClientSession) -> None:
    async with client.get("/ready") as answer:
        assert answer.status == 200
        assert await answer.json() == {
            "ready": True,
            "checks": {
                "pbx": {"ok": True, "since": "2025-11-22T06:00:00+00:00"},
                "database": {"ok": True, "since": "2025-11-22T06:00:00+00:00"},
            },
        }


async def test_not_ready_says_which_check_fails_why_and_since_when(
    checks: Checks, client: aiohttp.ClientSession
) -> None:
    await client.get("/ready")
    checks.now += 30
    checks.pbx_problem = "no connection to ws://127.0.0.1:8088"
    await client.get("/ready")
    checks.now += 15
    checks.pbx_problem = "no connection to ws://127.0.0.1:8088 (3rd try)"
    async with client.get("/ready") as answer:
        assert answer.status == 503
        body = await answer.json()
    assert body["ready"] is False
    assert body["checks"]["pbx"] == {
        "ok": False,
        "since": "2025-11-22T06:00:30+00:00",
        "problem": "no connection to ws://127.0.0.1:8088 (3rd try)",
    }
    assert body["checks"]["database"]["ok"] is True


async def test_ready_again_when_the_problem_is_over(checks: Checks, client: aiohttp.ClientSession) -> None:
    checks.database_problem = "disk full"
    await client.get("/ready")
    checks.database_problem = ""
    checks.now += 10
    async with client.get("/ready") as answer:
        assert answer.status == 200
        assert (await answer.json())["checks"]["database"]["since"] == "2025-11-22T06:00:10+00:00"


async def test_a_check_that_hangs_counts_as_failed(monkeypatch: pytest.MonkeyPatch, metrics: Metrics) -> None:
    async def hang() -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr("parley.app.health.CHECK_TIMEOUT_S", 0.01)
    server = HealthServer("127.0.0.1", 0, checks={"worker": hang}, metrics=metrics)
    assert (await server.check())["worker"].problem == "no answer within 0.01 s"


async def test_metrics_are_served_as_openmetrics_with_the_state_of_the_checks(
    checks: Checks, client: aiohttp.ClientSession
) -> None:
    checks.pbx_problem = "gone"
    async with client.get("/metrics", headers={"Accept": "application/openmetrics-text"}) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        text = await answer.text()
    assert 'parley_ready{check="pbx"} 0.0' in text
    assert 'parley_ready{check="database"} 1.0' in text
    assert text.endswith("# EOF\n")


async def test_a_taken_port_names_the_setting_and_who_to_ask(metrics: Metrics) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = HealthServer("127.0.0.1", port, checks={}, metrics=metrics)
        with pytest.raises(
            SettingsError, match=rf"\[http\] port = {port}: another program.*ss -ltnp 'sport = :{port}'"
        ):
            await server.start()


async def test_an_address_of_another_machine_names_the_setting(metrics: Metrics) -> None:
    server = HealthServer("192.0.2.1", 0, checks={}, metrics=metrics)
    with pytest.raises(SettingsError, match=r"\[http\] host = '192\.0\.2\.1'") as caught:
        await server.start()
    assert not caught.value.retryable


async def test_closing_twice_frees_the_port_once(metrics: Metrics) -> None:
    server = HealthServer("127.0.0.1", 0, checks={}, metrics=metrics)
    await server.start()
    port = server.port
    await server.aclose()
    await server.aclose()
    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_flood_of_nonsense_fills_no_log(server: HealthServer, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
        async with asyncio.timeout(5):
            assert (await reader.readline()).startswith(b"HTTP/1.0 400")
        writer.transport.abort()
    [line] = caplog.records
    assert (line.levelname, line.getMessage()) == ("WARNING", "nonsense at the HTTP port refused")
    assert line.exc_info is None


async def test_fault_of_our_own_is_logged_with_its_traceback(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: web.Request) -> web.Response:
        raise ValueError("a bug")

    server = HealthServer("127.0.0.1", 0, checks={}, metrics=metrics, routes=[web.get("/broken", broken)])
    await server.start()
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{server.port}/broken") as answer,
    ):
        assert answer.status == 500
    await server.aclose()
    [line] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert line.exc_info is not None


async def test_a_client_that_does_not_take_its_answer_keeps_the_server_from_ending_for_a_moment_only() -> None:
    asked = asyncio.Event()

    async def never(request: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    server = HealthServer("127.0.0.1", 0, checks={}, metrics=Metrics(), routes=[web.get("/never", never)])
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        answer = asyncio.ensure_future(session.get("/never"))
        await asked.wait()
        async with asyncio.timeout(END_S + 3.0):
            await server.aclose()
        with pytest.raises(aiohttp.ClientError):
            await answer
