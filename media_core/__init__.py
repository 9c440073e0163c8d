"""Audio at the speed of C: codecs, resampling, RTP, jitter, concealment, voice detection, tones.

PCM is int16 little-endian mono `bytes` everywhere. Imports nothing of the other packages.
"""

from media_core.concealment import Concealer
from media_core.errors import FrameSizeError, MediaError, PacketError, RateError
from media_core.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from media_core.g722 import G722Decoder, G722Encoder
from media_core.jitter import JitterBuffer
from media_core.pcm import fade_out, interleave, level_dbfs, silence
from media_core.resampler import Resampler
from media_core.ring import PcmRing
from media_core.rtp import (
    RTP_HEADER_SIZE,
    RtpPacket,
    TelephoneEvent,
    build_rtp,
    build_telephone_event,
    parse_rtp,
    parse_telephone_event,
)
from media_core.tones import ToneDetector, tone
from media_core.vad import EnergyVad, SpeechEdge

__all__ = [
    "RTP_HEADER_SIZE",
    "Concealer",
    "EnergyVad",
    "FrameSizeError",
    "G722Decoder",
    "G722Encoder",
    "JitterBuffer",
    "MediaError",
    "PacketError",
    "PcmRing",
    "RateError",
    "Resampler",
    "RtpPacket",
    "SpeechEdge",
    "TelephoneEvent",
    "ToneDetector",
    "alaw_decode",
    "alaw_encode",
    "build_rtp",
    "build_telephone_event",
    "fade_out",
    "interleave",
    "level_dbfs",
    "parse_rtp",
    "parse_telephone_event",
    "silence",
    "tone",
    "ulaw_decode",
    "ulaw_encode",
]
