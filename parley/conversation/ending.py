"""How a dialogue ends, and what that means for the caller."""

from __future__ import annotations

from dataclasses import dataclass

from parley.call_control import HangupCause
from parley.conversation.flow.step import GoOn, HangUp, Transfer
from parley.conversation.happenings import ControlLost, DrainAsked, HungUp, TakenAway
from parley.conversation.ports import PeerGone
from parley.conversation.record import EndReason


@dataclass(frozen=True, slots=True)
class DialogueEnd:
    """Why the dialogue is over, and what comes next."""

    reason: EndReason
    then: Transfer | HangUp | GoOn | None = None
    """What the script wants; None when it had no say: the caller is gone, an engine failed, Parley stops."""
    hangup_cause: HangupCause = HangupCause.UNKNOWN
    """Of a caller who hung up."""


def scripted_end(then: Transfer | HangUp | GoOn, gave_up: bool) -> DialogueEnd:
    """The script has come to its end. gave_up: by its fallback, because it did not understand the caller."""
    if gave_up:
        return DialogueEnd(EndReason.NOT_UNDERSTOOD, then)
    return DialogueEnd(EndReason.TRANSFERRED if isinstance(then, Transfer) else EndReason.COMPLETED, then)


def early_end(happening: HungUp | TakenAway | ControlLost | DrainAsked | PeerGone) -> DialogueEnd:
    """The call cannot go on."""
    match happening:
        case HungUp(cause):
            return DialogueEnd(EndReason.CALLER_HUNG_UP, hangup_cause=cause)
        case TakenAway():
            return DialogueEnd(EndReason.TAKEN_AWAY)
        case DrainAsked():
            return DialogueEnd(EndReason.DRAINED)
        case ControlLost() | PeerGone():
            return DialogueEnd(EndReason.PBX_LOST)
