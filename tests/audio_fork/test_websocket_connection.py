"""The media WebSocket over a real connection on the loopback interface, with a server that behaves as the test says."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from socket import SHUT_RDWR

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from audio_fork import websocket_connection
from audio_fork.errors import BadPeer, NoPeer
from audio_fork.media_engine import MediaEngine
from audio_fork.websocket_audio import WebSocketAudio
from media_core.events import PeerGone

STARTED = json.dumps({"event": "MEDIA_START", "format": "slin", "optimal_frame_size": 320, "ptime": 20})
SECRET = "7fd1a04c-df4c-4e06-aefd-06e84b59bd8c"

Behaviour = Callable[[web.WebSocketResponse], Awaitable[None]]


@asynccontextmanager
async def media_leg(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve one media leg; yield its address."""

    async def serve(request: web.Request) -> web.WebSocketResponse:
        if request.match_info["id"] != SECRET:
            raise web.HTTPNotFound
        socket = web.WebSocketResponse(protocols=("media",))
        await socket.prepare(request)
        await behaviour(socket)
        return socket

    application = web.Application()
    application.router.add_get("/media/{id}", serve)
    server = TestServer(application, scheme="https" if tls else "http")
    await server.start_server(ssl=tls)
    try:
        yield str(server.make_url(f"/media/{SECRET}")).replace("http", "ws", 1)
    finally:
        await server.close()


async def until_closed(socket: web.WebSocketResponse) -> None:
    async for _ in socket:
        pass


_ENGINES: list[MediaEngine] = []


@pytest.fixture(autouse=True)
async def _engines_are_closed() -> AsyncIterator[None]:
    yield
    while _ENGINES:
        _ENGINES.pop().close()


def new_audio() -> WebSocketAudio:
    """Make a connection on a media engine of its own."""
    _ENGINES.append(MediaEngine.open(capacity=1))
    return WebSocketAudio(_ENGINES[-1], "slin")


async def the_end(audio: WebSocketAudio) -> list[object]:
    async with asyncio.timeout(5):
        return [event async for event in audio.events()]


async def test_sound_goes_both_ways_in_real_time_and_the_count_follows_the_marks() -> None:
    heard = 0

    async def asterisk(socket: web.WebSocketResponse) -> None:
        """Play one frame every 20 ms, and say what it gets."""
        nonlocal heard
        queue: asyncio.Queue[bytes | str] = asyncio.Queue()
        await socket.send_str(STARTED)

        async def tick() -> None:
            nonlocal heard
            due_s = time.monotonic()
            while True:
                due_s += 0.02
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                await socket.send_bytes(b"\x10\x20" * 160)
                while not queue.empty():
                    item = queue.get_nowait()
                    if isinstance(item, bytes):
                        heard += sum(item[at] != 0 for at in range(0, 320, 2))
                        break
                    await socket.send_str(json.dumps({"event": "MEDIA_MARK_PROCESSED", "correlation_id": item}))

        ticking = asyncio.create_task(tick())
        async for message in socket:
            if isinstance(message.data, bytes):
                for at in range(0, len(message.data), 320):
                    queue.put_nowait(message.data[at : at + 320])
            elif (command := json.loads(message.data)).get("correlation_id"):
                queue.put_nowait(command["correlation_id"])
            elif command["command"] == "GET_STATUS":
                await socket.send_str('{"event":"STATUS"}')
            elif command["command"] == "FLUSH_MEDIA":
                while not queue.empty():
                    queue.get_nowait()
        ticking.cancel()

    async with media_leg(asterisk) as url:
        audio = new_audio()
        await audio.connect(url)
        audio.play(b"\x01\x10" * 8000)
        started = time.monotonic()
        async with asyncio.timeout(5):
            while audio.played_samples < 8000:
                await asyncio.sleep(0.01)
        assert time.monotonic() - started == pytest.approx(1.0, abs=0.3)
        assert heard == pytest.approx(8000, abs=160)
        stats = audio.stats()
        assert stats.received >= 30
        assert stats.garbage == stats.unsent == 0
        await audio.aclose()
        assert await the_end(audio) != []


async def test_the_subprotocol_is_asked_for_and_the_close_of_the_pbx_is_told() -> None:
    protocols = []

    async def asterisk(socket: web.WebSocketResponse) -> None:
        protocols.append(socket.ws_protocol)
        await socket.send_str(STARTED)
        await socket.close(code=1000)

    async with media_leg(asterisk) as url:
        audio = new_audio()
        await audio.connect(url)
        assert await the_end(audio) == [PeerGone("the PBX closed the connection")]
        assert protocols == ["media"]
        await audio.aclose()
        await audio.aclose()


async def test_a_connection_that_breaks_is_told() -> None:
    async def asterisk(socket: web.WebSocketResponse) -> None:
        await socket.send_str(STARTED)
        connection = socket.get_extra_info("socket")
        connection.shutdown(SHUT_RDWR)

    async with media_leg(asterisk) as url:
        audio = new_audio()
        await audio.connect(url)
        assert await the_end(audio) == [PeerGone("the PBX closed the connection")]
        await audio.aclose()


@pytest.mark.parametrize("hostile", ["x" * 100_000, b"\0" * 100_000])
async def test_a_message_larger_than_any_of_asterisks_ends_the_connection(hostile: str | bytes) -> None:
    async def asterisk(socket: web.WebSocketResponse) -> None:
        await socket.send_str(STARTED)
        await (socket.send_str(hostile) if isinstance(hostile, str) else socket.send_bytes(hostile))
        await until_closed(socket)

    async with media_leg(asterisk) as url:
        audio = new_audio()
        await audio.connect(url)
        assert await the_end(audio) == [PeerGone("the PBX closed the connection")]
        await audio.aclose()


async def test_hostile_messages_of_every_size_do_no_harm() -> None:
    async def asterisk(socket: web.WebSocketResponse) -> None:
        await socket.send_str(STARTED)
        for text in ("", "{", "[" * 60_000, '{"event":"DTMF_END","digit":{}}', "\0" * 1000):
            await socket.send_str(text)
        for octets in (b"", b"\1", bytes(60_001), bytes(range(256)) * 100):
            await socket.send_bytes(octets)
        await socket.close()

    async with media_leg(asterisk) as url:
        audio = new_audio()
        await audio.connect(url)
        assert await the_end(audio) == [PeerGone("the PBX closed the connection")]
        assert audio.stats().garbage >= 5
        await audio.aclose()


@pytest.mark.parametrize(
    ("first", "explanation"),
    [
        ("MEDIA_START connection_id:1 channel:x format:slin", "22.8"),
        ('{"event":"MEDIA_START","format":"ulaw","optimal_frame_size":160}', "slin was asked for"),
        ('{"event":"STATUS"}', "does not begin with MEDIA_START"),
        ("nonsense", "cannot be read"),
        (b"\0\0", "does not begin with MEDIA_START"),
    ],
)
async def test_a_peer_that_begins_otherwise_is_refused(first: str | bytes, explanation: str) -> None:
    closed = asyncio.Event()

    async def asterisk(socket: web.WebSocketResponse) -> None:
        await (socket.send_str(first) if isinstance(first, str) else socket.send_bytes(first))
        await until_closed(socket)
        closed.set()

    async with media_leg(asterisk) as url:
        audio = new_audio()
        with pytest.raises(BadPeer, match=explanation):
            await audio.connect(url)
        async with asyncio.timeout(5):
            await closed.wait()
        await audio.aclose()


async def test_an_address_where_nobody_waits_is_no_peer_and_its_secret_is_not_told() -> None:
    async with media_leg(until_closed) as url:
        for address in (url.replace(SECRET, "guessed-secret"), "ws://127.0.0.1:1/media/guessed-secret"):
            with pytest.raises(NoPeer) as refused:
                await new_audio().connect(address)
            assert "guessed-secret" not in str(refused.value)
            assert refused.value.__cause__ is None


async def test_a_peer_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_connection, "CONNECT_WITHIN_S", 0.1)
    async with media_leg(until_closed) as url:
        with pytest.raises(NoPeer, match="TimeoutError"):
            await new_audio().connect(url)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate of a private authority for 127.0.0.1; the file holds the key as well."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate can be made")
    file = tmp_path_factory.mktemp("tls") / "asterisk.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(file), "-out", str(file.with_suffix(".crt")), "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    file.write_bytes(file.read_bytes() + file.with_suffix(".crt").read_bytes())
    return file


async def test_tls_with_a_private_authority_is_trusted_when_named_and_only_then(certificate: Path) -> None:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)

    async def asterisk(socket: web.WebSocketResponse) -> None:
        await socket.send_str(STARTED)
        await until_closed(socket)

    async with media_leg(asterisk, server_side) as url:
        assert url.startswith("wss://")
        with pytest.raises(NoPeer):
            await new_audio().connect(url)
        audio = new_audio()
        await audio.connect(url, ssl.create_default_context(cafile=certificate.with_suffix(".crt")))
        await audio.aclose()
