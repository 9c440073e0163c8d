"""What the PBX tells us, as past participles.

Adapters produce them in the order in which the PBX sent them; call_runner consumes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from parley.call_control.vocabulary import HangupCause, Leg, LegId, QueueExit


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
class LegHeld:
    """The party has put us on hold: it does not hear us, and what comes from there (music, say) is not meant for us."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegRetrieved:
    """The party is back: the end of LegHeld, unless the leg has ended or left."""

    leg_id: LegId


@dataclass(frozen=True, slots=True)
class LegReplaced:
    """Another party has taken the leg's place: somebody connected us with them and went (a transfer).

    The audio connection goes on with the new leg, holds are over, and nothing more is told of the old one. Commands
    that still name the old leg reach the new one.
    """

    leg_id: LegId
    """The old one."""
    leg: Leg
    """The new one. The arguments and variables are the old one's."""


@dataclass(frozen=True, slots=True)
class PbxConnected:
    """The connection to the PBX stands (again). Reconcile with `CallControl.legs()` after the second one."""

    version: str


@dataclass(frozen=True, slots=True)
class PbxLost:
    """The connection to the PBX is gone; the adapter is reconnecting by itself. Told again when the reason changes."""

    reason: str


@dataclass(frozen=True, slots=True)
class ControlTaken:
    """Another client of the PBX is told about these legs of ours from now on, and we are not; PbxLost follows.

    Commands may still work: the callers are to be given back to the dialplan while they do.
    """

    reason: str
    leg_ids: frozenset[LegId]


# What becomes of a leg that we let go and that the dialplan put into a queue. `agent` is the queue agent's name as the
# PBX knows it. These come only where the PBX tells them (Asterisk: AMI), and may be missing or late.


@dataclass(frozen=True, slots=True)
class QueueJoined:
    """The caller waits in a queue."""

    leg_id: LegId
    queue: str
    position: int
    """1 is the next to be served."""


@dataclass(frozen=True, slots=True)
class AgentOffered:
    """The PBX offers the waiting caller to a queue agent: a phone rings."""

    leg_id: LegId
    queue: str
    agent: str


@dataclass(frozen=True, slots=True)
class AgentDeclined:
    """The queue agent refused, hung up before the connection, or let it ring; the caller waits on."""

    leg_id: LegId
    queue: str
    agent: str
    rang_s: float


@dataclass(frozen=True, slots=True)
class AgentAnswered:
    """The queue agent took the call and is connected with the caller."""

    leg_id: LegId
    queue: str
    agent: str
    waited_s: float
    """From joining the queue to the connection."""


@dataclass(frozen=True, slots=True)
class QueueLeft:
    """The queue is done with the caller, one way or another; every QueueJoined is followed by one at most."""

    leg_id: LegId
    queue: str
    exit: QueueExit
    waited_s: float
    """In the queue, until a queue agent answered or the caller left."""
    talked_s: float = 0.0
    """With the queue agent; 0 unless one answered."""


QueueEvent = QueueJoined | AgentOffered | AgentDeclined | AgentAnswered | QueueLeft

CallEvent = (
    LegOffered
    | LegRinging
    | LegAnswered
    | LegEnded
    | LegLeft
    | DigitReceived
    | LegHeld
    | LegRetrieved
    | LegReplaced
    | PbxConnected
    | PbxLost
    | ControlTaken
    | QueueJoined
    | AgentOffered
    | AgentDeclined
    | AgentAnswered
    | QueueLeft
)
