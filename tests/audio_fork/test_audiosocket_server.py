"""The AudioSocket port over real sockets on the loopback interface: who is let in, and how connections end."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import uuid
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
import uvloop

from audio_fork import audiosocket_server
from audio_fork.audiosocket_audio import AudioSocketAudio
from audio_fork.audiosocket_server import AudioSocketServer
from audio_fork.errors import NoFreePort, NoPeer, NotOurAddress, TooManyCalls, UnknownCodec
from audio_fork.media_engine import MediaEngine
from audio_fork.recording import StereoRecorder
from media_core.engine import Engine
from media_core.events import AudioEvent, DigitHeard, PeerGone
from tests.audio_fork.virtual_time import ManualTime
from tests.support.audiosocket import Kind, encode


class Peer:
    """A TCP client that says what the test tells it to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    def identify(self, connection_id: str) -> None:
        self.send(encode(Kind.ID, uuid.UUID(connection_id).bytes))

    async def is_cut_off(self) -> bool:
        """Wait for the end of the connection; nothing may come before it."""
        async with asyncio.timeout(5):
            try:
                return await self._reader.read(1) == b""
            except ConnectionError:
                return True

    async def receive(self, octets: int) -> bytes:
        async with asyncio.timeout(5):
            return await self._reader.readexactly(octets)

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


Connect = Callable[[], Awaitable[Peer]]


@pytest.fixture
def time() -> ManualTime:
    return ManualTime()


@pytest.fixture
async def server(time: ManualTime) -> AsyncIterator[AudioSocketServer]:
    async with listening(time) as server:
        yield server


@asynccontextmanager
async def listening(time: ManualTime) -> AsyncIterator[AudioSocketServer]:
    engine = time.media_engine()
    server = AudioSocketServer([engine])
    await server.listen("127.0.0.1", 0)
    try:
        yield server
    finally:
        await server.aclose()
        engine.close()


async def all_events(audio: AudioSocketAudio, time: ManualTime) -> list[AudioEvent]:
    """Let time pass until the connection is over, and return what it has told."""

    async def collect() -> list[AudioEvent]:
        return [event async for event in audio.events()]

    collecting = asyncio.ensure_future(collect())
    async with asyncio.timeout(5):
        while not collecting.done():
            time.advance(20)
            await asyncio.sleep(0)
    return collecting.result()


@pytest.fixture
async def connect(server: AudioSocketServer) -> AsyncIterator[Connect]:
    """Make connections to the server; all are closed at the end."""
    peers: list[Peer] = []

    async def make() -> Peer:
        peers.append(Peer(*await asyncio.open_connection(*server.address)))
        return peers[-1]

    yield make
    for peer in peers:
        await peer.close()


async def refused(server: AudioSocketServer, reason: str, count: int = 1) -> bool:
    async with asyncio.timeout(5):
        while server.refused.get(reason, 0) < count:
            await asyncio.sleep(0)
    return server.refused == {reason: count}


async def test_the_peer_that_shows_the_id_is_let_in_even_if_nobody_waits_yet(
    server: AudioSocketServer, connect: Connect, time: ManualTime
) -> None:
    audio = server.expect("slin")
    peer = await connect()
    peer.identify(audio.connection_id)
    peer.send(encode(Kind.SLIN, bytes(320)) * 3)
    async with asyncio.timeout(5):
        while audio.stats().received < 3:
            time.advance(20)
            await asyncio.sleep(0)
    await audio.connected()
    assert server.refused == {}
    assert server.unidentified == 0
    await audio.aclose()


async def test_an_id_is_good_for_one_connection(server: AudioSocketServer, connect: Connect) -> None:
    audio = server.expect()
    first, second = await connect(), await connect()
    first.identify(audio.connection_id)
    await audio.connected()
    second.identify(audio.connection_id)
    assert await second.is_cut_off()
    assert await refused(server, "unknown_id")
    await audio.aclose()


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (encode(Kind.ID, uuid.UUID(int=1).bytes), "unknown_id"),
        (encode(Kind.ID, b"short"), "no_audiosocket"),
        (encode(Kind.SLIN, bytes(16)), "no_audiosocket"),
        (encode(Kind.HANGUP), "no_audiosocket"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "no_audiosocket"),
        (b"\xff" * 100_000, "no_audiosocket"),
        (b"\x01\xff\xff", "no_audiosocket"),
    ],
)
async def test_strangers_are_cut_off_and_counted(
    server: AudioSocketServer, connect: Connect, octets: bytes, reason: str
) -> None:
    waiting = server.expect()
    peer = await connect()
    peer.send(octets)
    assert await peer.is_cut_off()
    assert await refused(server, reason)
    assert waiting.stats().received == 0
    await waiting.aclose()


async def test_a_stranger_who_only_drips_is_cut_off_in_time(
    server: AudioSocketServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiosocket_server, "IDENTIFY_WITHIN_S", 0.05)
    peer = await connect()
    peer.send(b"\x01\x00")
    assert await peer.is_cut_off()
    assert await refused(server, "no_id")


async def test_a_stranger_who_leaves_without_a_word_is_counted(server: AudioSocketServer, connect: Connect) -> None:
    peer = await connect()
    await peer.close()
    assert await refused(server, "closed")


async def test_strangers_who_only_wait_do_not_keep_the_pbx_out(
    server: AudioSocketServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiosocket_server, "MAX_UNIDENTIFIED", 64)
    first = await connect()
    for _ in range(63):
        await connect()
    audio = server.expect()
    peer = await connect()
    assert await first.is_cut_off()
    assert await refused(server, "too_many")
    assert server.unidentified == 64
    peer.identify(audio.connection_id)
    await audio.connected()
    await audio.aclose()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_burst_of_strangers_behind_the_pbx_does_not_cut_it_off(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """They are in the system's backlog before the loop can read what the PBX has sent; loops differ in what they do."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(burst_behind_the_pbx())


async def burst_behind_the_pbx() -> None:
    """Fill the backlog with strangers in every round until some are cut; the PBX, which came first, must be let in."""
    strangers = 0
    with ExitStack() as sockets:
        async with listening(ManualTime()) as server:
            audio = server.expect()
            pbx = sockets.enter_context(socket.create_connection(server.address))
            pbx.sendall(encode(Kind.ID, uuid.UUID(audio.connection_id).bytes))
            async with asyncio.timeout(5):
                for _ in range(2 * audiosocket_server.MAX_UNIDENTIFIED):
                    strangers += fill_backlog(server, sockets)
                    await asyncio.sleep(0)
                    if server.refused.get("too_many"):
                        break
                await audio.connected()
            assert server.refused["too_many"]
            sockets.close()
            async with asyncio.timeout(5):
                while sum(server.refused.values()) < strangers:
                    await asyncio.sleep(0)
            await audio.aclose()


def fill_backlog(server: AudioSocketServer, sockets: ExitStack) -> int:
    """Connect strangers until the system takes no more before the loop accepts some; return how many."""
    for connected in range(audiosocket_server.BACKLOG):
        stranger = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        stranger.setblocking(False)
        stranger.connect_ex(server.address)
        try:
            stranger.getpeername()
        except OSError:  # it would try again in a second
            stranger.close()
            return connected
    return audiosocket_server.BACKLOG


async def test_an_id_runs_out(server: AudioSocketServer, connect: Connect) -> None:
    audio = server.expect(within_s=0.01)
    with pytest.raises(NoPeer):
        await audio.connected()
    peer = await connect()
    peer.identify(audio.connection_id)
    assert await peer.is_cut_off()


async def test_the_id_of_audio_that_was_closed_is_void_and_its_waiter_is_told(
    server: AudioSocketServer, connect: Connect
) -> None:
    audio = server.expect()
    waiter = asyncio.ensure_future(audio.connected())
    await asyncio.sleep(0)
    await audio.aclose()
    with pytest.raises(NoPeer):
        await waiter
    peer = await connect()
    peer.identify(audio.connection_id)
    assert await peer.is_cut_off()


async def test_closing_hangs_up_and_leaves_closing_to_the_pbx(
    server: AudioSocketServer, connect: Connect, time: ManualTime
) -> None:
    audio = server.expect()
    peer = await connect()
    peer.identify(audio.connection_id)
    await audio.connected()
    await audio.aclose()
    assert await peer.receive(3) == encode(Kind.HANGUP)
    peer.send(encode(Kind.SLIN, bytes(320)))
    await peer.close()
    time.advance(40)
    assert audio.stats().received == 0
    assert [event async for event in audio.events()] == []


async def test_a_pbx_that_does_not_close_is_cut_off(
    server: AudioSocketServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiosocket_server, "HANG_UP_WITHIN_S", 0.01)
    audio = server.expect()
    peer = await connect()
    peer.identify(audio.connection_id)
    await audio.connected()
    await audio.aclose()
    await peer.receive(3)
    assert await peer.is_cut_off()


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (b"", "the PBX closed the connection"),
        (encode(Kind.HANGUP), "the PBX hung up"),
        (encode(Kind.ERROR, b"\x01"), "the PBX reports an error"),
        (b"\x10\xff\xff", "the PBX sent what is no AudioSocket message"),
    ],
)
async def test_the_end_of_the_connection_is_told(
    server: AudioSocketServer,
    connect: Connect,
    time: ManualTime,
    last: bytes,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    audio = server.expect()
    peer = await connect()
    peer.identify(audio.connection_id)
    await audio.connected()
    peer.send(last)
    await peer.writer.drain()
    await peer.close()
    assert await all_events(audio, time) == [PeerGone(reason)]
    assert audio.stats().unsent == 0
    await audio.aclose()
    assert caplog.records == []


async def test_a_recording_is_whole_when_the_pbx_hangs_up(
    server: AudioSocketServer, connect: Connect, time: ManualTime, tmp_path: Path
) -> None:
    audio = server.expect()
    recorder = StereoRecorder(tmp_path / "call.wav", 8000)
    audio.record_to(recorder)
    peer = await connect()
    peer.identify(audio.connection_id)
    await audio.connected()
    audio.play(LOUD * 8000)
    time.advance(200)
    peer.send(encode(Kind.HANGUP))
    assert (await all_events(audio, time))[-1] == PeerGone("the PBX hung up")
    async with asyncio.timeout(5):
        while server.engines[0].calls:
            time.advance(20)
            await asyncio.sleep(0)
    await audio.aclose()
    await recorder.aclose()
    assert agents_side(tmp_path / "call.wav").count(LOUD) == audio.played_samples > 0


async def test_a_hang_up_that_meets_the_closing_of_a_recorded_call_costs_no_time_and_nothing_of_it(
    time: ManualTime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    native = Engine(capacity=1, threaded=False)
    engine = MediaEngine(native, monotonic=time.monotonic, call_later=time.call_later)
    recorder = StereoRecorder(tmp_path / "call.wav", 8000)
    audio = AudioSocketAudio(engine, "slin", "id", withdraw=lambda _: None)
    audio.record_to(recorder)
    pbx, ours = socket.socketpair()
    with pbx, ours:
        ours.setblocking(False)
        audio.begin(Unclosed(), ours)
        audio.play(LOUD * 8000)
        native.step(time.now)
        native.step(time.now + 0.2)
        pbx.send(encode(Kind.HANGUP))
        native.step(time.now + 0.3)  # its end waits to be told
        await audio.aclose()
    await recorder.aclose()
    engine.close()
    assert [event async for event in audio.events() if isinstance(event, PeerGone)] == [PeerGone("the PBX hung up")]
    assert caplog.records == []
    assert agents_side(tmp_path / "call.wav").count(LOUD) == audio.played_samples > 0


class Unclosed:
    """A link that leaves its socket to the test."""

    def close(self) -> None:
        """Do nothing."""


LOUD = b"\x88\x13"


def agents_side(path: Path) -> list[bytes]:
    """Return a recording's samples on the right."""
    with wave.open(str(path), "rb") as wav:
        stereo = wav.readframes(wav.getnframes())
    return [stereo[at : at + 2] for at in range(2, len(stereo), 4)]


@pytest.mark.parametrize("digits", [True, False])
async def test_keys_in_the_media_are_digits_only_where_the_pbx_does_not_report_them_itself(
    server: AudioSocketServer, connect: Connect, time: ManualTime, digits: bool
) -> None:
    audio = server.expect(digits=digits)
    peer = await connect()
    peer.identify(audio.connection_id)
    for key in (b"5", b"#", b"x", b"55", b""):
        peer.send(encode(Kind.DTMF, key))
    peer.send(encode(Kind.HANGUP))
    events = await all_events(audio, time)
    assert [event.digit for event in events if isinstance(event, DigitHeard)] == (["5", "#"] if digits else [])
    assert (audio.stats().garbage, audio.stats().unexpected) == (3, 0 if digits else 2)
    await audio.aclose()


async def test_audio_of_another_rate_and_unknown_kinds_are_counted_and_left_out(
    server: AudioSocketServer, connect: Connect, time: ManualTime
) -> None:
    audio = server.expect("slin")
    peer = await connect()
    peer.identify(audio.connection_id)
    peer.send(encode(Kind.SLIN16, bytes(640)) + b"\x42\0\0" + encode(Kind.SLIN, bytes(3)) + encode(Kind.HANGUP))
    assert await all_events(audio, time) == [PeerGone("the PBX hung up")]
    assert (audio.stats().unexpected, audio.stats().garbage) == (1, 2)
    await audio.aclose()


async def test_what_a_pbx_does_not_take_is_dropped_rather_than_played_in_a_burst(
    server: AudioSocketServer, time: ManualTime, caplog: pytest.LogCaptureFixture
) -> None:
    audio = server.expect("slin16")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        peer.setblocking(False)
        await asyncio.get_running_loop().sock_connect(peer, server.address)
        peer.send(encode(Kind.ID, uuid.UUID(audio.connection_id).bytes))
        await audio.connected()
        for _ in range(1000):
            time.advance(20)
            await asyncio.sleep(0)
        stats = audio.stats()
        assert stats.sent + stats.unsent == 1000
        assert stats.sent < 50, "only what fits into the peer's own buffer, and 400 ms"
        await audio.aclose()
        assert "did not take all" in caplog.text


async def test_a_port_that_is_taken_is_named(server: AudioSocketServer) -> None:
    with pytest.raises(NoFreePort, match=f"{server.address[1]}"):
        await AudioSocketServer([]).listen(*server.address)


async def test_an_address_of_another_machine_is_not_worth_another_try() -> None:
    with pytest.raises(NotOurAddress) as caught:
        await AudioSocketServer([]).listen("192.0.2.77", 0)
    assert not caught.value.retryable


async def test_codecs_that_asterisk_does_not_take_back_are_refused(server: AudioSocketServer) -> None:
    with pytest.raises(UnknownCodec, match="slin, slin16"):
        server.expect("ulaw")


async def test_closing_the_server_ends_everything_and_may_be_done_twice(
    server: AudioSocketServer, connect: Connect
) -> None:
    waiting, talking = server.expect(), server.expect()
    peer, stranger = await connect(), await connect()
    peer.identify(talking.connection_id)
    await talking.connected()
    await server.aclose()
    await server.aclose()
    with pytest.raises(NoPeer):
        await waiting.connected()
    assert await stranger.is_cut_off()
    async with asyncio.timeout(5):
        assert [event async for event in talking.events()] == [PeerGone("the PBX closed the connection")]


async def test_more_calls_than_the_engines_carry_are_refused(server: AudioSocketServer) -> None:
    waiting = [server.expect() for _ in range(4)]
    with pytest.raises(TooManyCalls):
        server.expect()
    for audio in waiting:
        audio.close()
    server.expect().close()


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_caller_for_whom_there_is_no_descriptor_is_hung_up_and_his_waiter_is_told(
    new_loop: Callable[[], asyncio.AbstractEventLoop], caplog: pytest.LogCaptureFixture
) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(come_without_descriptors())
    assert "cannot be taken up" in caplog.text


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let the system refuse every descriptor that this process asks for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def come_without_descriptors() -> None:
    async with listening(ManualTime()) as server:
        audio = server.expect()
        with socket.create_connection(server.address) as pbx:
            pbx.settimeout(5)
            async with asyncio.timeout(5):
                while not server.unidentified:
                    await asyncio.sleep(0)
                with no_descriptors():
                    pbx.sendall(encode(Kind.ID, uuid.UUID(audio.connection_id).bytes))
                    with pytest.raises(NoPeer):
                        await audio.connected()
                await audio.over()
                assert await refused(server, "not_taken")
            assert server.engines[0].calls == 0
            assert await asyncio.to_thread(pbx.recv, 100) == encode(Kind.HANGUP)
        async with asyncio.timeout(5):
            while server.connections:
                await asyncio.sleep(0)


async def test_audio_that_fails_while_it_is_waited_for_tells_its_waiter_and_lets_nobody_in(
    server: AudioSocketServer, connect: Connect
) -> None:
    audio = server.expect()
    audio.fail("the media engine has stopped")
    async with asyncio.timeout(5):
        with pytest.raises(NoPeer):
            await audio.connected()
    peer = await connect()
    peer.identify(audio.connection_id)
    assert await peer.is_cut_off()
    assert await refused(server, "unknown_id")


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_comes_right_behind_the_id_is_the_engines(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """In one segment with the id: not an octet may be read past it, whatever the loop."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(speak_at_once())


async def speak_at_once() -> None:
    time = ManualTime()
    async with listening(time) as server:
        audio = server.expect()
        with socket.create_connection(server.address) as pbx:
            identity = encode(Kind.ID, uuid.UUID(audio.connection_id).bytes)
            pbx.sendall(identity + encode(Kind.SLIN, bytes(320)) * 5)
            await audio.connected()
            time.advance(40)
            assert (audio.stats().received, audio.stats().garbage) == (5, 0)
            await audio.aclose()
            time.advance(20)
            pbx.settimeout(5)
            assert pbx.recv(4096).endswith(encode(Kind.HANGUP))
        async with asyncio.timeout(5):
            while server.connections:
                await asyncio.sleep(0)
