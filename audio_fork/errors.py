"""Errors of a call's audio connection, in the family of the media core's.

MediaError (media_core)
└── AudioForkError
    ├── UnknownCodec     our own misuse: a codec that the transport does not carry both ways
    ├── BadAudio         our own misuse: PCM that is not whole samples, or more than the playout queue holds
    ├── NotConnectable   our own misuse: connected twice, or after the connection was closed
    ├── NoFreePort       ours: no port could be bound (retryable: calls end and free theirs)
    │   └── NotOurAddress  the settings: no port of an address that this machine does not have
    ├── TooManyCalls     ours: the media engine has no place left (retryable: calls end and leave theirs)
    ├── NoPeer           the other side: the PBX did not connect, or could not be connected with (retryable)
    └── BadPeer          the other side: what connected, or was connected with, does not speak the protocol
"""

from __future__ import annotations

from media_core.errors import MediaError


class AudioForkError(MediaError):
    """Root of everything that audio_fork raises."""

    code = "audio"


class UnknownCodec(AudioForkError):
    """The codec is unknown; the message names those that work."""

    code = "audio_unknown_codec"


class BadAudio(AudioForkError, ValueError):
    """PCM given to `play()` has half a sample, or does not fit into the playout queue."""

    code = "audio_bad_audio"


class NotConnectable(AudioForkError):
    """The connection has its peer already, or was closed."""

    code = "audio_not_connectable"


class NoFreePort(AudioForkError):
    """Every port that may be used is taken or forbidden."""

    code = "audio_no_free_port"
    retryable = True


class NotOurAddress(NoFreePort):
    """The address to listen on is none of this machine's: it stays so until somebody changes one of the two."""

    code = "audio_not_our_address"
    retryable = False


class TooManyCalls(AudioForkError):
    """Every place on the media engine is taken."""

    code = "audio_too_many_calls"
    retryable = True


class NoPeer(AudioForkError):
    """The PBX's end of the connection is not there in time; the message says what to check."""

    code = "audio_no_peer"
    retryable = True


class BadPeer(AudioForkError):
    """The other end does not speak the protocol, or not as agreed."""

    code = "audio_bad_peer"
