"""Errors of the media core.

MediaError
├── FrameSizeError    the caller's misuse: octets that are no whole samples, empty payload, unequal lengths
├── RateError         the caller's misuse: a sampling rate or pair of rates that is not supported
├── PacketError       the other side: a datagram or payload that breaks its format
└── EngineError       the media engine
    ├── EngineFull        ours: as many calls as it was made for go on already (retryable: calls end)
    ├── EngineStopped     the caller's misuse: not while it is stopped, or not while it runs
    ├── EngineStartError  the system's: no memory, no thread, or no such core
    ├── StaleHandle       the caller's misuse: the session has been closed
    ├── PeerAddressError  the other side: an address that is not numeric, or that another session has
    └── PlayoutFull       ours: no place for another piece of audio (retryable: pieces are played and leave theirs)
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


class EngineError(MediaError):
    """The media engine cannot do what it is asked."""

    code = "media_engine"


class EngineFull(EngineError):
    """As many calls as the engine was made for go on already."""

    code = "media_engine_full"
    retryable = True


class EngineStopped(EngineError):
    """The engine is stopped, or runs by itself, and must not for this."""

    code = "media_engine_stopped"


class EngineStartError(EngineError):
    """The system refused what the engine needs."""

    code = "media_engine_start"


class StaleHandle(EngineError):
    """The session has been closed; its place may belong to another call."""

    code = "media_stale_handle"


class PeerAddressError(EngineError):
    """The peer's address is not numeric, or another session has it."""

    code = "media_peer_address"


class PlayoutFull(EngineError):
    """There is no place for another piece of audio; nothing has been taken."""

    code = "media_playout_full"
    retryable = True
