"""How a call's audio reaches us: one line per call, of the transport that the settings choose.

The call runner opens a line for each call and hands its target to the PBX; the doctor does the same for its tones.
This is where the port's AudioTargets and AudioPeers meet audio_fork.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from audio_fork.audiosocket_audio import AudioSocketAudio
from audio_fork.audiosocket_server import AudioSocketServer
from audio_fork.call_audio import CallAudioBase
from audio_fork.rtp_audio import RtpAudio
from audio_fork.websocket_audio import WebSocketAudio
from parley.app.settings import MediaSettings
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


class AudioLine(Protocol):
    """Our end of one call's audio. Whoever opened it closes `audio`."""

    @property
    def audio(self) -> CallAudioBase:
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

    def open(self, wideband: bool) -> AudioLine:
        """Open a line; wideband: the party's own audio reaches beyond 4 kHz. Raises AudioForkError."""
        ...


@asynccontextmanager
async def audio_lines(
    media: MediaSettings, tls: ssl.SSLContext | None, on_refused: Callable[[str], None] | None = None
) -> AsyncIterator[AudioLines]:
    """Be ready to open lines of the transport that the settings choose.

    tls: for WebSockets to an Asterisk behind `https`. on_refused: told why a connection to the AudioSocket port was
    refused. Raises NoFreePort when that port cannot be opened.
    """
    if media.transport == "rtp":
        yield RtpLines(media)
    elif media.transport == "websocket":
        yield WebSocketLines(media, tls)
    else:
        server = AudioSocketServer(on_refused=on_refused)
        await server.listen(media.host, media.audiosocket_port)
        try:
            yield AudioSocketLines(media, server)
        finally:
            await server.aclose()


class RtpLines:
    """A UDP port for each call."""

    def __init__(self, media: MediaSettings) -> None:
        self._media = media

    def open(self, wideband: bool) -> RtpLine:
        """Bind a port of the configured range."""
        media = self._media
        codec = media.codec_for(wideband)
        audio = RtpAudio.open(codec.value, media.host, range(media.first_port, media.last_port + 1))
        return RtpLine(audio, codec)


class RtpLine:
    """RTP on a port of its own."""

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

    def __init__(self, media: MediaSettings, tls: ssl.SSLContext | None) -> None:
        self._media = media
        self._tls = tls

    def open(self, wideband: bool) -> WebSocketLine:
        """Prepare to connect."""
        codec = self._media.codec_for(wideband)
        return WebSocketLine(WebSocketAudio(codec.value), codec, self._tls)


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
