"""The two RTP streams of a call: what the peer sends becomes frames of PCM, frames of PCM become packets.

Pure: `RtpAudio` moves the datagrams and calls both once per 20 ms.
"""

from __future__ import annotations

import secrets

from audio_fork.caller_stream import CallerStream
from audio_fork.codecs import FRAME_TICKS, RtpCodec
from media_core.errors import FrameSizeError, PacketError
from media_core.rtp import RtpPacket, build_rtp, parse_rtp


class RtpReceiver(CallerStream):
    """The peer's stream over RTP."""

    def __init__(self, codec: RtpCodec) -> None:
        """Wait for the first packet."""
        super().__init__(codec)
        self._payload_type = codec.payload_type
        self._ssrc: int | None = None

    def take(self, datagram: bytes, arrival: int) -> None:
        """Take one datagram of the peer's.

        arrival: position on the session clock. What is not RTP, or not this codec, is counted and left out;
        telephone events too: with RTP the PBX reports keys by its own events, and no key may count twice.
        """
        try:
            packet = parse_rtp(datagram)
            if packet.ssrc != self._ssrc:
                self._restart(packet)
            expected = packet.payload_type == self._payload_type
            self._put(packet.sequence, packet.timestamp, packet.payload if expected else b"", arrival)
        except (PacketError, FrameSizeError):
            self.garbage += 1
        else:
            self.unexpected += not expected

    def _restart(self, packet: RtpPacket) -> None:
        """Begin with another stream from the right address: the PBX made it anew."""
        if self._ssrc is not None:
            self._start_anew()
        self._ssrc = packet.ssrc


class RtpSender:
    """Our stream: one SSRC, a sequence without holes, a timestamp that follows the session clock."""

    def __init__(self, codec: RtpCodec) -> None:
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
