"""Audio connections under the hand of a test: the fake, and RtpAudio with a real UDP peer in virtual time."""

from __future__ import annotations

import socket
from typing import Protocol

from audio_fork.codecs import FRAME_TICKS, RTP_CLOCK_HZ, codec_named
from audio_fork.rtp_audio import DEFAULT_SETTINGS, RtpAudio, RtpSettings
from media_core.rtp import RtpPacket, build_rtp, parse_rtp
from parley.conversation.ports import CallAudio
from tests.audio_fork.virtual_time import ManualTime
from tests.fakes.call_audio import FakeCallAudio, settle

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


class UdpPeer:
    """The PBX's end of an RTP connection, on a UDP socket of the loopback interface."""

    def __init__(self, codec: str) -> None:
        self._codec = codec_named(codec)
        self._encode = self._codec.new_encoder()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.address: tuple[str, int] = self._socket.getsockname()
        self.ssrc = 0x1234
        self.sequence = 65530  # wraps soon
        self.timestamp = 0xFFFF_FF00
        self.received: list[RtpPacket] = []

    def say(self, pcm: bytes, to: tuple[str, int]) -> None:
        """Send one frame."""
        packet = build_rtp(self._codec.payload_type, self.sequence, self.timestamp, self.ssrc, self._encode(pcm))
        self.pass_frame()
        self._socket.sendto(packet, to)

    def pass_frame(self) -> None:
        """Let the time of one frame go by on this side's counters."""
        self.sequence += 1
        self.timestamp += FRAME_TICKS

    def send(self, octets: bytes, to: tuple[str, int]) -> None:
        """Send any datagram."""
        self._socket.sendto(octets, to)

    def collect(self) -> None:
        """Take what came."""
        while True:
            try:
                self.received.append(parse_rtp(self._socket.recv(2048)))
            except BlockingIOError:
                return

    def heard(self) -> bytes:
        """Return what came as PCM, placed by its timestamps, beginning with the first packet."""
        decode = self._codec.new_decoder()
        pcm = bytearray()
        for packet in self.received:
            ticks = (packet.timestamp - self.received[0].timestamp) & 0xFFFF_FFFF
            assert ticks < 600 * RTP_CLOCK_HZ, "two streams came to one peer"
            pcm = pcm.ljust(ticks * self._codec.samples_per_tick * 2, b"\0")
            pcm += decode(packet.payload)
        return bytes(pcm)

    def close(self) -> None:
        self._socket.close()


class RtpConnection:
    """RtpAudio with real sockets on the loopback interface; only its time is virtual."""

    def __init__(self, codec: str, settings: RtpSettings = DEFAULT_SETTINGS) -> None:
        self.time = ManualTime()
        self.peer = UdpPeer(codec)
        self.rtp_audio = RtpAudio.open(codec, settings=settings, clock=self.time.playout_clock())
        self.rtp_audio.connect(*self.peer.address)
        self.time.advance(FRAME_MS)  # the beat that starts the session clock
        self._rate_hz = self.rtp_audio.rate_hz
        self._frame_samples = self._rate_hz * FRAME_MS // 1000
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
        self.peer.close()

    def _callers_frame(self) -> bytes:
        """Return what the caller says in the 20 ms from now on."""
        now_ms = self.rtp_audio.position * 1000 // self._rate_hz
        if not any(start <= now_ms < end for start, end in self._speech):
            return bytes(self._frame_samples * 2)
        half_period = self._rate_hz // 400
        period = b"\x40\x1f" * half_period + b"\xc0\xe0" * half_period
        return (period * (self._frame_samples // half_period))[: self._frame_samples * 2]
