"""Errors of the media core.

MediaError
├── FrameSizeError    the caller's misuse: octets that are no whole samples, empty payload, unequal lengths
├── RateError         the caller's misuse: a sampling rate or pair of rates that is not supported
└── PacketError       the other side: a datagram or payload that breaks its format
"""


class MediaError(Exception):
    """Root of the media core's errors."""

    code = "media"
    """Stable name for metrics."""
    retryable = False
    """Whether the same call may succeed later."""


class FrameSizeError(MediaError):
    """Audio of a length that the operation cannot take."""

    code = "media_frame_size"


class RateError(MediaError):
    """A sampling rate that is not supported."""

    code = "media_rate"


class PacketError(MediaError):
    """A datagram or payload that breaks its format."""

    code = "media_packet"
