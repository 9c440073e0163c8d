"""The two RTP streams of a call: what the peer sends becomes frames of PCM, frames of PCM become packets.

Pure: `RtpAudio` moves the datagrams and calls both once per 20 ms.
"""

from __future__ import annotations

import secrets

from audio_fork.codecs import FRAME_TICKS, RTP_CLOCK_HZ, Codec
from media_core.concealment import Concealer
from media_core.errors import FrameSizeError, PacketError
from media_core.jitter import JitterBuffer
from media_core.rtp import RtpPacket, build_rtp, parse_rtp


class RtpReceiver:
    """The peer's stream: put in order, decoded, gaps filled."""

    def __init__(self, codec: Codec) -> None:
        """Wait for the first packet."""
        self._codec = codec
        self._decode = codec.new_decoder()
        self._concealer = Concealer(codec.rate_hz)
        self._jitter = JitterBuffer(RTP_CLOCK_HZ, FRAME_TICKS, codec.octets_per_tick)
        self._ssrc: int | None = None
        self.garbage = 0
        self.unexpected = 0

    @property
    def received(self) -> int:
        """Packets of RTP so far."""
        return self._jitter.received

    @property
    def lost(self) -> int:
        """Packets missing by their sequence."""
        return self._jitter.lost

    @property
    def late(self) -> int:
        """Packets that came after their time had passed."""
        return self._jitter.late

    @property
    def concealed(self) -> int:
        """Frames made up while the peer was sending."""
        return self._jitter.concealed

    def take(self, datagram: bytes, arrival: int) -> None:
        """Take one datagram of the peer's.

        arrival: position on the session clock. What is not RTP, or not this codec, is counted and left out;
        telephone events too: with RTP the PBX reports keys by its own events, and no key may count twice.
        """
        try:
            packet = parse_rtp(datagram)
            if packet.ssrc != self._ssrc:
                self._restart(packet)
            expected = packet.payload_type == self._codec.payload_type
            self._jitter.put(
                packet.sequence,
                packet.timestamp,
                packet.payload if expected else b"",
                arrival // self._codec.samples_per_tick,
            )
        except (PacketError, FrameSizeError):
            self.garbage += 1
        else:
            self.unexpected += not expected

    def next_frame(self) -> bytes:
        """Return the next 20 ms of the caller's voice as PCM; silence when there is none."""
        payload = self._jitter.get()
        if payload is None:
            return self._concealer.lost(self._codec.frame_samples)
        return self._concealer.good(self._decode(payload))

    def _restart(self, packet: RtpPacket) -> None:
        """Begin with another stream from the right address: the PBX made it anew."""
        if self._ssrc is not None:
            self._jitter.reset()
            self._decode = self._codec.new_decoder()
        self._ssrc = packet.ssrc


class RtpSender:
    """Our stream: one SSRC, a sequence without holes, a timestamp that follows the session clock."""

    def __init__(self, codec: Codec) -> None:
        """Begin at random numbers (RFC 3550 §5.1)."""
        self._payload_type = codec.payload_type
        self._encode = codec.new_encoder()
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(16)
        self._timestamp = secrets.randbits(32)
        self._resuming = True

    def packet(self, pcm: bytes) -> bytes:
        """Return the packet for the next 20 ms; the first one after a pause bears the marker."""
        packet = build_rtp(
            self._payload_type, self._sequence, self._timestamp, self._ssrc, self._encode(pcm), self._resuming
        )
        self._sequence += 1
        self._timestamp += FRAME_TICKS
        self._resuming = False
        return packet

    def pause(self) -> None:
        """Let 20 ms pass without a packet."""
        self._timestamp += FRAME_TICKS
        self._resuming = True
