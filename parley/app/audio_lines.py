"""How a call's audio reaches us: one line per call, of the transport that the settings choose.

The call runner opens a line for each call and hands its target to the PBX; the doctor does the same for its tones.
This is where the port's AudioTargets and AudioPeers meet audio_fork.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

from audio_fork.audio_connection import AudioConnection
from audio_fork.audiosocket_audio import AudioSocketAudio
from audio_fork.audiosocket_server import AudioSocketServer
from audio_fork.media_engine import EngineCall, MediaEngine
from audio_fork.rtp_audio import RtpAudio, RtpSettings
from audio_fork.rtp_engine import RtpEngine
from audio_fork.sockets import Address
from audio_fork.websocket_audio import WebSocketAudio
from parley.app.settings_tables import MediaSettings
from parley.call_control import (
    AudioCodec,
    AudioPeer,
    AudioSocketPeer,
    AudioSocketTarget,
    AudioTarget,
    PbxRefused,
    RtpPeer,
    RtpTarget,
    WebSocketPeer,
    WebSocketTarget,
)

PROBED_CALLS = 16
"""Enough for the doctor and for tests."""


class AudioLine(Protocol):
    """Our end of one call's audio. Whoever opened it closes `audio`."""

    @property
    def audio(self) -> AudioConnection:
        """For the conversation; nothing comes or goes before `connect()`."""
        ...

    @property
    def target(self) -> AudioTarget:
        """For the PBX (`CallControl.attach_audio`)."""
        ...

    async def connect(self, peer: AudioPeer) -> None:
        """Connect with the PBX's end, as `attach_audio` asks. Raises AudioForkError, PbxRefused."""
        ...


class AudioLines(Protocol):
    """Opens lines of one transport."""

    @property
    def engines(self) -> Sequence[MediaEngine]:
        """Carry the media; calls by the dialplan's AudioSocket() as well."""
        ...

    def open(self, wideband: bool) -> AudioLine:
        """Open a line; wideband: the party's own audio reaches beyond 4 kHz. Raises AudioForkError."""
        ...


@asynccontextmanager
async def audio_lines(
    media: MediaSettings,
    tls: ssl.SSLContext | None,
    on_refused: Callable[[str], None] | None = None,
    *,
    calls: int = PROBED_CALLS,
) -> AsyncIterator[AudioLines]:
    """Be ready to open lines of the transport that the settings choose.

    tls: for WebSockets to an Asterisk behind `https`. on_refused: told why a connection to the AudioSocket port was
    refused. calls: at once. Raises NoFreePort when a port cannot be opened, EngineStartError of media_core
    when the system refuses what a media engine needs.
    """
    async with AsyncExitStack() as stack:
        if media.transport == "rtp":
            yield RtpLines(media, _rtp_engines(media, calls, stack))
        elif media.transport == "websocket":
            yield WebSocketLines(media, _engines(media, calls, stack), tls)
        else:
            server = AudioSocketServer(_engines(media, calls, stack), on_refused=on_refused)
            stack.push_async_callback(server.aclose)
            await server.listen(media.host, media.audiosocket_port)
            yield AudioSocketLines(media, server)


def _rtp_engines(media: MediaSettings, calls: int, stack: AsyncExitStack) -> list[RtpEngine]:
    """Start media engines with a port each; the stack closes them. Each could take all calls: none is refused."""
    engines: list[RtpEngine] = []
    by_peer: dict[Address, EngineCall] = {}
    for core in _cores(media):
        engine = RtpEngine.open(
            *(media.host, media.ports), by_peer=by_peer, capacity=calls, core=core, threaded=media.thread
        )
        stack.callback(engine.close)
        engines.append(engine)
    return engines


def _engines(media: MediaSettings, calls: int, stack: AsyncExitStack) -> list[MediaEngine]:
    """Start media engines for calls over connections, in the same way."""
    engines: list[MediaEngine] = []
    for core in _cores(media):
        engine = MediaEngine.open(capacity=calls, core=core, threaded=media.thread)
        stack.callback(engine.close)
        engines.append(engine)
    return engines


def _cores(media: MediaSettings) -> list[int | None]:
    """Return for each engine the processor that it is pinned to."""
    return [media.cores[number % len(media.cores)] if media.cores else None for number in range(media.engines)]


class RtpLines:
    """A place on a media engine for each call; the calls of an engine share its port."""

    def __init__(self, media: MediaSettings, engines: Sequence[RtpEngine]) -> None:
        self._media = media
        self._settings = RtpSettings(own_port=media.port_per_call)
        self.engines = engines

    def open(self, wideband: bool) -> RtpLine:
        """Take a place on the engine with the fewest calls."""
        codec = self._media.codec_for(wideband)
        engine = min(self.engines, key=lambda engine: engine.calls)
        return RtpLine(RtpAudio(engine, codec.value, self._settings), codec)


class RtpLine:
    """RTP through a media engine."""

    def __init__(self, audio: RtpAudio, codec: AudioCodec) -> None:
        self.audio = audio
        self.target: AudioTarget = RtpTarget(*audio.local_address, codec)

    async def connect(self, peer: AudioPeer) -> None:
        """Exchange packets with the address that the PBX names, and no other."""
        if not isinstance(peer, RtpPeer):
            raise _unlike(self.target, peer)
        self.audio.connect(peer.host, peer.port)


class WebSocketLines:
    """A WebSocket to the PBX for each call."""

    def __init__(self, media: MediaSettings, engines: Sequence[MediaEngine], tls: ssl.SSLContext | None) -> None:
        self._media = media
        self.engines = engines
        self._tls = tls

    def open(self, wideband: bool) -> WebSocketLine:
        """Prepare to connect."""
        codec = self._media.codec_for(wideband)
        engine = min(self.engines, key=lambda engine: engine.calls)
        return WebSocketLine(WebSocketAudio(engine, codec.value), codec, self._tls)


class WebSocketLine:
    """A WebSocket that we open."""

    def __init__(self, audio: WebSocketAudio, codec: AudioCodec, tls: ssl.SSLContext | None) -> None:
        self.audio = audio
        self.target: AudioTarget = WebSocketTarget(codec)
        self._tls = tls

    async def connect(self, peer: AudioPeer) -> None:
        """Connect to where the PBX waits."""
        if not isinstance(peer, WebSocketPeer):
            raise _unlike(self.target, peer)
        await self.audio.connect(peer.url, self._tls)


class AudioSocketLines:
    """A TCP connection from the PBX for each call, all to one port."""

    def __init__(self, media: MediaSettings, server: AudioSocketServer) -> None:
        self._media = media
        self.server = server
        self.engines = server.engines

    def open(self, wideband: bool) -> AudioSocketLine:
        """Issue an id for the PBX to connect with."""
        codec = self._media.codec_for(wideband)
        host, port = self.server.address
        audio = self.server.expect(codec.value)
        return AudioSocketLine(audio, AudioSocketTarget(host, port, audio.connection_id, codec))


class AudioSocketLine:
    """A TCP connection that the PBX opens."""

    def __init__(self, audio: AudioSocketAudio, target: AudioSocketTarget) -> None:
        self.audio = audio
        self.target: AudioTarget = target

    async def connect(self, peer: AudioPeer) -> None:
        """Wait for the PBX's connection."""
        if not isinstance(peer, AudioSocketPeer):
            raise _unlike(self.target, peer)
        await self.audio.connected()


def _unlike(target: AudioTarget, peer: AudioPeer) -> PbxRefused:
    return PbxRefused(f"the PBX answers {type(target).__name__} with {type(peer).__name__}")
