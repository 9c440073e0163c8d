"""The PBX-neutral words and the port through which Parley controls calls.

Standard library only: adapters (ari_app, later esl_app) implement the port, everybody else speaks its words.
"""

from parley.call_control.errors import (
    CallControlError,
    InvalidRequest,
    LegGone,
    PbxRefused,
    PbxUnavailable,
)
from parley.call_control.events import (
    CallEvent,
    DigitReceived,
    LegAnswered,
    LegEnded,
    LegLeft,
    LegOffered,
    LegRinging,
    PbxConnected,
    PbxLost,
)
from parley.call_control.port import CallControl
from parley.call_control.vocabulary import (
    AudioCodec,
    AudioPeer,
    AudioTarget,
    CallId,
    DialplanTarget,
    Direction,
    Disposition,
    HangupCause,
    Leg,
    LegId,
    LegState,
    OriginateRequest,
    SipTarget,
    TransferTarget,
)

__all__ = [
    "AudioCodec",
    "AudioPeer",
    "AudioTarget",
    "CallControl",
    "CallControlError",
    "CallEvent",
    "CallId",
    "DialplanTarget",
    "DigitReceived",
    "Direction",
    "Disposition",
    "HangupCause",
    "InvalidRequest",
    "Leg",
    "LegAnswered",
    "LegEnded",
    "LegGone",
    "LegId",
    "LegLeft",
    "LegOffered",
    "LegRinging",
    "LegState",
    "OriginateRequest",
    "PbxConnected",
    "PbxLost",
    "PbxRefused",
    "PbxUnavailable",
    "SipTarget",
    "TransferTarget",
]
