"""The exchanges of a call, as both sides experienced them: of the agent's words only those that were heard."""

from __future__ import annotations

from dataclasses import dataclass, replace

from parley.conversation.record import Turn
from parley.conversation.timings import TurnTimeline
from parley.conversation.turns import BegunTurn


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the caller said (or keyed), and what he then heard."""

    caller: str
    agent: str


class History:
    """Finished turns, and the one that goes on."""

    def __init__(self, interrupted: BegunTurn | None = None) -> None:
        """interrupted: the turn that another process has begun; numbers go on from it."""
        self.turns: list[Turn] = []
        """Finished, in order."""
        self._open = interrupted
        self._first_number = 0 if interrupted is None else interrupted.turn.number

    @property
    def open_turn(self) -> Turn | None:
        """The turn that goes on, as it began."""
        return None if self._open is None else self._open.turn

    @property
    def exchanges(self) -> list[Exchange]:
        """The finished turns' words."""
        return [Exchange(turn.caller_text or turn.caller_keys, turn.agent_heard) for turn in self.turns]

    @property
    def timeline(self) -> TurnTimeline | None:
        """Positions of the turn that goes on."""
        return None if self._open is None else self._open.timeline

    def begin(self, begun: BegunTurn, node: str, agent_text: str) -> None:
        """Open a turn with all but what will be heard of it; its number is given here.

        node: the one that waits now, for a turn that no node was waiting for (the greeting).
        """
        number = self._first_number + len(self.turns)
        turn = replace(begun.turn, number=number, node=begun.turn.node or node, agent_text=agent_text)
        self._open = replace(begun, turn=turn)

    def end(self, agent_heard: str, speech_ready: int | None, first_sound: int | None) -> Turn | None:
        """Close the turn that goes on and return it; None when there is none.

        speech_ready, first_sound: positions at which the agent's first sample was there, and went out.
        """
        if self._open is None:
            return None
        timeline = self._open.timeline
        timeline.speech_ready, timeline.first_sound = speech_ready, first_sound
        turn = replace(self._open.turn, agent_heard=agent_heard, timings=timeline.timings(), moments=timeline.moments())
        self.turns.append(turn)
        self._open = None
        return turn
