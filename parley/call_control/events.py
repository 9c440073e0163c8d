"""What the PBX tells us, as past participles.

Adapters produce them in the order in which the PBX sent them; call_runner consumes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from parley.call_control.vocabulary import HangupCause, Leg, LegId


@dataclass(frozen=True, slots=True)
class LegOffered:
    """An inbound leg is in our hands, unanswered (or already answered by the dialplan: see its state)."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class LegRinging:
    """The far end of an outbound leg rings."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """An outbound leg was answered and is in our hands; for an inbound leg, our answer took effect."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The leg is gone. Sent exactly once for each leg that was in our hands or that we originated."""

    leg_id: LegId
    cause: HangupCause


@dataclass(frozen=True, slots=True)
class LegLeft:
    """The leg went on in the dialplan, by our request or by the PBX's; it is no longer in our hands."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class DigitReceived:
    """The party pressed a key; reported once, when the key was released."""

    leg_id: LegId
    digit: str
    """One of `0123456789*#ABCD`."""
    duration_ms: int


@dataclass(frozen=True, slots=True)
class PbxConnected:
    """The connection to the PBX stands (again). Reconcile with `CallControl.legs()` after the second one."""

    version: str


@dataclass(frozen=True, slots=True)
class PbxLost:
    """The connection to the PBX is gone; the adapter is reconnecting by itself."""

    reason: str


CallEvent = LegOffered | LegRinging | LegAnswered | LegEnded | LegLeft | DigitReceived | PbxConnected | PbxLost
