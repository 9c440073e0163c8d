"""The telephone world's words: legs, causes, dispositions, targets.

Everything here is immutable and PBX-neutral; bridges, channels and REST never appear.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from typing import NewType

LegId = NewType("LegId", str)
"""One party's connection to the PBX (Asterisk: channel id; FreeSWITCH: Unique-ID)."""

CallId = NewType("CallId", str)
"""All legs of one conversation (Asterisk: linkedid; FreeSWITCH: Channel-Call-UUID)."""


class HangupCause(IntEnum):
    """Why a leg ended: the ITU-T Q.850 values that a call centre meets."""

    UNKNOWN = 0
    UNALLOCATED_NUMBER = 1
    NO_ROUTE_TO_DESTINATION = 3
    NORMAL_CLEARING = 16
    USER_BUSY = 17
    NO_USER_RESPONSE = 18
    NO_ANSWER = 19
    SUBSCRIBER_ABSENT = 20
    CALL_REJECTED = 21
    NUMBER_CHANGED = 22
    ANSWERED_ELSEWHERE = 26
    DESTINATION_OUT_OF_ORDER = 27
    INVALID_NUMBER_FORMAT = 28
    NORMAL_UNSPECIFIED = 31
    NO_CIRCUIT_AVAILABLE = 34
    NETWORK_OUT_OF_ORDER = 38
    TEMPORARY_FAILURE = 41
    SWITCH_CONGESTION = 42
    REQUESTED_CHANNEL_UNAVAILABLE = 44
    BEARER_CAPABILITY_NOT_AVAILABLE = 58
    RECOVERY_ON_TIMER_EXPIRE = 102
    INTERWORKING = 127

    @classmethod
    def from_q850(cls, value: int) -> HangupCause:
        """Return the cause with this Q.850 value; one we have no word for becomes UNKNOWN."""
        try:
            return cls(value)
        except ValueError:
            return cls.UNKNOWN


class Disposition(StrEnum):
    """The result of an attempt to reach somebody (never the business outcome)."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"
    CONGESTION = "congestion"
    CANCELLED = "cancelled"

    @classmethod
    def of_unanswered(cls, cause: HangupCause) -> Disposition:
        """Return the disposition of an attempt that ended with `cause` before anybody answered."""
        return _DISPOSITION_OF_CAUSE.get(cause, cls.FAILED)


_DISPOSITION_OF_CAUSE: Mapping[HangupCause, Disposition] = {
    HangupCause.USER_BUSY: Disposition.BUSY,
    HangupCause.CALL_REJECTED: Disposition.BUSY,
    HangupCause.NO_ANSWER: Disposition.NO_ANSWER,
    HangupCause.NO_USER_RESPONSE: Disposition.NO_ANSWER,
    HangupCause.SUBSCRIBER_ABSENT: Disposition.NO_ANSWER,
    HangupCause.NORMAL_CLEARING: Disposition.CANCELLED,
    HangupCause.ANSWERED_ELSEWHERE: Disposition.CANCELLED,
    HangupCause.NO_CIRCUIT_AVAILABLE: Disposition.CONGESTION,
    HangupCause.SWITCH_CONGESTION: Disposition.CONGESTION,
    HangupCause.TEMPORARY_FAILURE: Disposition.CONGESTION,
    HangupCause.REQUESTED_CHANNEL_UNAVAILABLE: Disposition.CONGESTION,
}


class Direction(StrEnum):
    """Who started the leg, seen from the PBX."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class QueueExit(StrEnum):
    """How a caller left a queue."""

    ANSWERED = "answered"
    """A queue agent took the call, and their talk is over."""
    ABANDONED = "abandoned"
    """The caller gave up waiting."""
    UNSERVED = "unserved"
    """The queue sent the caller on: the time was up, no queue agent was left, or the caller chose to by a key."""


class LegState(Enum):
    """How far a leg has come."""

    OFFERED = "offered"
    """Inbound, in our hands, neither ringing nor answered."""
    RINGING = "ringing"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Leg:
    """One party's connection as it stood when the PBX last told us."""

    id: LegId
    call_id: CallId
    direction: Direction
    state: LegState
    ani: str = ""
    """Calling number as the PBX gave it. Controlled by the caller: never trust it inside a protocol line."""
    ani_name: str = ""
    """Calling name, equally untrusted."""
    dnis: str = ""
    """Called number or extension."""
    arguments: tuple[str, ...] = ()
    """What the dialplan passed to us, in order, undecoded (`agent=reception`, `retries=2`)."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Channel variables that came with the offer (those the site configured to be sent)."""
    wideband: bool = False
    """The party's own audio reaches beyond 4 kHz, as far as the PBX has told."""
    connection_id: str = field(default="", repr=False)
    """Of the AudioSocket connection that the leg has come with; empty for legs that get theirs by `attach_audio`."""


class AudioCodec(StrEnum):
    """Codecs that travel between the PBX and us."""

    ULAW = "ulaw"
    ALAW = "alaw"
    SLIN = "slin"
    """16-bit linear PCM, 8 kHz; network byte order on RTP, little-endian elsewhere."""
    SLIN16 = "slin16"
    """16-bit linear PCM, 16 kHz, little-endian. Not over RTP: Asterisk 22.10 sends it but never takes it there."""
    G722 = "g722"

    @property
    def rate_hz(self) -> int:
        """Rate of the decoded audio (G.722 carries 16 kHz although its RTP clock says 8 kHz)."""
        return 16000 if self in (AudioCodec.G722, AudioCodec.SLIN16) else 8000


RTP_CODECS = frozenset({AudioCodec.ULAW, AudioCodec.ALAW, AudioCodec.SLIN, AudioCodec.G722})
AUDIOSOCKET_CODECS = frozenset({AudioCodec.SLIN, AudioCodec.SLIN16})
"""Asterisk 22.10 sends companded audio over AudioSocket too, but takes it back as if it were linear."""
WEBSOCKET_CODECS = frozenset({AudioCodec.ULAW, AudioCodec.ALAW, AudioCodec.SLIN, AudioCodec.SLIN16})


@dataclass(frozen=True, slots=True)
class RtpTarget:
    """The PBX shall exchange RTP with this address of ours."""

    host: str
    port: int
    codec: AudioCodec = AudioCodec.ULAW
    """One of RTP_CODECS."""


@dataclass(frozen=True, slots=True)
class AudioSocketTarget:
    """The PBX shall connect to this address of ours by TCP and show the id that we have issued for it."""

    host: str
    port: int
    connection_id: str = field(repr=False)
    """A UUID. A secret: whoever shows it first is the call's audio."""
    codec: AudioCodec = AudioCodec.SLIN
    """One of AUDIOSOCKET_CODECS."""


@dataclass(frozen=True, slots=True)
class WebSocketTarget:
    """The PBX shall listen for a WebSocket of ours."""

    codec: AudioCodec = AudioCodec.SLIN
    """One of WEBSOCKET_CODECS."""


AudioTarget = RtpTarget | AudioSocketTarget | WebSocketTarget
"""What the PBX shall connect a leg's audio with, and the codec that we want."""


@dataclass(frozen=True, slots=True)
class RtpPeer:
    """Where the PBX sends from and listens: the only address whose packets count."""

    host: str
    port: int
    codec: AudioCodec


@dataclass(frozen=True, slots=True)
class AudioSocketPeer:
    """The PBX has been told to connect to us."""

    connection_id: str = field(repr=False)
    codec: AudioCodec


@dataclass(frozen=True, slots=True)
class WebSocketPeer:
    """Where the PBX waits for our WebSocket."""

    url: str = field(repr=False)
    """`ws://` or `wss://`. Its last segment is a secret: whoever connects first is the call's audio."""
    codec: AudioCodec


AudioPeer = RtpPeer | AudioSocketPeer | WebSocketPeer
"""The PBX's end of a leg's audio; the counterpart of the AudioTarget of the same name."""

ConnectAudio = Callable[[AudioPeer], Awaitable[None]]
"""Opens our end: connects the WebSocket, waits for the PBX's AudioSocket, begins to accept RTP."""


@dataclass(frozen=True, slots=True)
class OriginateRequest:
    """An outbound leg to be made."""

    destination: str
    """What the PBX dials, in its own syntax (Asterisk: `PJSIP/agent1`, `Local/100@default`)."""
    caller_id: str = ""
    """Number to present; empty leaves the PBX's default."""
    caller_name: str = ""
    timeout_s: int = 30
    """Ring time before the attempt ends with NO_ANSWER."""
    variables: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    """Come back on the leg's events, as if the dialplan had passed them."""


@dataclass(frozen=True, slots=True)
class DialplanTarget:
    """A place in the site's dialplan."""

    context: str
    extension: str
    priority: int = 1


@dataclass(frozen=True, slots=True)
class SipTarget:
    """Somebody outside the PBX, reached by SIP redirect or REFER."""

    uri: str
    """For instance `sip:+15551234@carrier.example`."""


TransferTarget = DialplanTarget | SipTarget
