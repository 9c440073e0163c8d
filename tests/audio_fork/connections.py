"""Audio connections under the hand of a test, in virtual time: the fake, and every transport with a peer of its own.

RTP and AudioSocket go through real sockets on the loopback interface; the WebSocket's other end is a model of
Asterisk's.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol
from uuid import UUID

from audio_fork.audiosocket_server import AudioSocketServer
from audio_fork.rtp_audio import DEFAULT_SETTINGS, RtpAudio, RtpSettings
from audio_fork.websocket_audio import WebSocketAudio
from parley.conversation.ports import CallAudio
from tests.audio_fork.fake_media_leg import FakeMediaLeg
from tests.audio_fork.virtual_time import ManualTime
from tests.fakes.call_audio import FakeCallAudio, settle
from tests.media_core.engine_call import Phone
from tests.support.audiosocket import AUDIO_KIND, Kind, MessageReader, encode

FRAME_MS = 20


class Connection(Protocol):
    """A call's audio, its caller and its phone."""

    @property
    def audio(self) -> CallAudio: ...

    def caller_speaks(self, start_ms: int, end_ms: int) -> None:
        """Let the caller make a loud sound between two times of the session clock."""
        ...

    async def advance(self, ms: int) -> None:
        """Let time pass, and what it sets off happen."""
        ...

    def heard(self) -> bytes:
        """Return what the phone got from position 0 on."""
        ...

    async def aclose(self) -> None: ...


class FakeConnection:
    """The fake that stands in for audio in the conversation's tests."""

    def __init__(self) -> None:
        self._fake = FakeCallAudio()

    @property
    def audio(self) -> CallAudio:
        return self._fake

    def caller_speaks(self, start_ms: int, end_ms: int) -> None:
        self._fake.caller_speaks(start_ms, end_ms)

    async def advance(self, ms: int) -> None:
        await self._fake.advance(ms)

    def heard(self) -> bytes:
        return self._fake.heard(0, self._fake.position_ms + FRAME_MS)

    async def aclose(self) -> None:
        await self._fake.aclose()


class RtpConnection:
    """RtpAudio and its engine with real sockets on the loopback interface; only their time is virtual."""

    def __init__(self, codec: str, settings: RtpSettings = DEFAULT_SETTINGS) -> None:
        self.time = ManualTime()
        self.engine = self.time.rtp_engine()
        self.peer = Phone(codec)
        self.rtp_audio = RtpAudio(self.engine, codec, settings)
        self.rtp_audio.connect(*self.peer.address)
        self.time.advance(FRAME_MS)  # the beat that starts the session clock
        self._speech: list[tuple[int, int]] = []

    @property
    def audio(self) -> CallAudio:
        return self.rtp_audio

    def caller_speaks(self, start_ms: int, end_ms: int) -> None:
        self._speech.append((start_ms, end_ms))

    async def advance(self, ms: int) -> None:
        await settle()
        for _ in range(ms // FRAME_MS):
            self.peer.say(self._callers_frame(), self.rtp_audio.local_address)
            await self.pass_frame()

    async def pass_frame(self) -> None:
        """Let a frame's time pass without a packet from the peer."""
        self.time.advance(FRAME_MS)
        self.peer.collect()
        await settle()

    def heard(self) -> bytes:
        return self.peer.heard()

    async def aclose(self) -> None:
        await self.rtp_audio.aclose()
        self.engine.close()
        self.peer.close()

    def _callers_frame(self) -> bytes:
        return callers_frame(self.rtp_audio, self._speech)


class TcpPeer:
    """The PBX's end of an AudioSocket connection, on a TCP socket of the loopback interface."""

    def __init__(self, codec: str) -> None:
        self._kind = AUDIO_KIND[codec]
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._reader = MessageReader()
        self.audio = bytearray()
        """What came, one frame after another."""
        self.hung_up = False
        self.closed = False
        """The other side has closed the connection."""

    async def connect(self, address: tuple[str, int]) -> None:
        """Connect, saying nothing."""
        await asyncio.get_running_loop().sock_connect(self._socket, address)

    def identify(self, connection_id: str) -> None:
        """Show an id."""
        self.send(encode(Kind.ID, UUID(connection_id).bytes))

    def say(self, pcm: bytes) -> None:
        """Send one frame."""
        self.send(encode(self._kind, pcm))

    def send(self, octets: bytes) -> None:
        """Send anything."""
        self._socket.send(octets)

    def collect(self) -> None:
        """Take what came."""
        try:
            while octets := self._socket.recv(65536):
                self._reader.add(octets)
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.closed = True
        else:
            self.closed = True
        while (message := self._reader.next()) is not None:
            if message.kind == Kind.HANGUP:
                self.hung_up = True
            else:
                assert message.kind == self._kind
                self.audio += message.payload

    def close(self) -> None:
        """Close the connection, as Asterisk does: without a word."""
        self.closed = True
        self._socket.close()


class AudioSocketConnection:
    """AudioSocketAudio through its server, with real sockets on the loopback interface; only its time is virtual."""

    def __init__(self, codec: str) -> None:
        self.time = ManualTime()
        self.engine = self.time.media_engine()
        self.server = AudioSocketServer([self.engine])
        self.peer = TcpPeer(codec)
        self._codec = codec
        self._speech: list[tuple[int, int]] = []

    async def open(self) -> None:
        """Connect and let the beat pass that starts the session clock."""
        await self.server.listen("127.0.0.1", 0)
        self.socket_audio = self.server.expect(self._codec)
        await self.peer.connect(self.server.address)
        self.peer.identify(self.socket_audio.connection_id)
        await self.socket_audio.connected()
        self.time.advance(FRAME_MS)
        await self._pass_on()

    @property
    def audio(self) -> CallAudio:
        return self.socket_audio

    def caller_speaks(self, start_ms: int, end_ms: int) -> None:
        self._speech.append((start_ms, end_ms))

    async def advance(self, ms: int) -> None:
        await settle()
        for _ in range(ms // FRAME_MS):
            self.peer.say(callers_frame(self.socket_audio, self._speech))
            await self._pass_on()
            self.time.advance(FRAME_MS)
            await self._pass_on()

    def heard(self) -> bytes:
        return bytes(self.peer.audio)

    async def aclose(self) -> None:
        await self.socket_audio.aclose()
        await self._pass_on()
        self.peer.close()
        await self.server.aclose()
        await settle()
        self.engine.close()

    async def _pass_on(self) -> None:
        """Let what was sent on either side arrive."""
        await settle()
        if not self.peer.closed:
            self.peer.collect()


class WebSocketConnection:
    """WebSocketAudio and a model of Asterisk's end, both in virtual time."""

    def __init__(self, codec: str, *, latency_ms: float = 0.0) -> None:
        self.time = ManualTime()
        self.leg = FakeMediaLeg(codec, self.time, latency_ms=latency_ms)
        self.engine = self.time.media_engine()
        self.socket_audio = WebSocketAudio(self.engine, codec)
        self.leg.receiver = self.socket_audio
        self.socket_audio.begin(self.leg, self.leg.started)
        self.time.advance(FRAME_MS)
        self._started_s = self.time.now
        self._speech: list[tuple[int, int]] = []

    @property
    def audio(self) -> CallAudio:
        return self.socket_audio

    def caller_speaks(self, start_ms: int, end_ms: int) -> None:
        self._speech.append((start_ms, end_ms))

    async def advance(self, ms: int) -> None:
        await settle()
        for _ in range(ms // FRAME_MS):
            self.leg.hear_caller(callers_frame(self.socket_audio, self._speech))
            self.time.advance(FRAME_MS)
            await settle()

    def heard(self) -> bytes:
        """Return what the caller's phone played: every frame where Asterisk handed it out, silence between."""
        pcm = bytearray()
        for at_s, frame in self.leg.handed_out:
            start = round((at_s - self._started_s) * self.socket_audio.rate_hz) * 2
            if start >= 0:
                pcm = pcm.ljust(start, b"\0")[:start] + frame
        return bytes(pcm)

    async def aclose(self) -> None:
        await self.socket_audio.aclose()
        self.engine.close()


def callers_frame(audio: CallAudio, speech: list[tuple[int, int]]) -> bytes:
    """Return what the caller says in the 20 ms from now on; speech: from when to when, in ms."""
    now_ms = audio.position * 1000 // audio.rate_hz
    if not any(start <= now_ms < end for start, end in speech):
        return bytes(audio.rate_hz * FRAME_MS // 1000 * 2)
    half_period = audio.rate_hz // 400
    period = b"\x40\x1f" * half_period + b"\xc0\xe0" * half_period
    return period * (audio.rate_hz * FRAME_MS // 1000 // half_period // 2)
