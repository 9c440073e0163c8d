"""Audio at the speed of C: codecs, resampling, RTP, jitter, concealment, detection of voice, keys, tones and beeps.

`media_core.engine` puts them together for many calls on a thread of its own; the others work on one stream
each.

PCM is int16 little-endian mono `bytes` everywhere. Imports nothing of the other packages. `media_core.engine` and
`media_core.batch`, which work with numpy arrays, are not imported here: numpy costs start-up time, and threads that a
process which forks must not have.
"""

from media_core.beep import BeepDetector, HeardTone
from media_core.concealment import Concealer
from media_core.dtmf import DtmfDetector, KeyEdge
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
    "BeepDetector",
    "Concealer",
    "DtmfDetector",
    "EnergyVad",
    "FrameSizeError",
    "G722Decoder",
    "G722Encoder",
    "HeardTone",
    "JitterBuffer",
    "KeyEdge",
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
