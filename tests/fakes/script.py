"""A call script that answers with the steps the test gives it."""

from __future__ import annotations

from parley.conversation.flow.run_state import RunState
from parley.conversation.flow.step import FlowResult, Heard, Step
from parley.conversation.ports import Script


class FakeScript(Script):
    """Script whose steps follow each other whatever the caller does; the last one is repeated."""

    def __init__(self, *steps: Step, result: FlowResult | None = None) -> None:
        """steps: the first is the start's."""
        self._steps = list(steps)
        self._result = result or FlowResult(outcome="booked", intent="appointment", slots={"day": "tuesday"})
        self.told: list[Heard | str] = []
        """What the caller did: Heard, keys, `silence`, `ask_again`, `repeat` or `offer_keys`."""
        self.kept: RunState | None = None

    @property
    def result(self) -> FlowResult:
        """What the run has gathered."""
        return self._result

    @property
    def state(self) -> RunState | None:
        """Where the run is; None unless the test has set it."""
        return self.kept

    def start(self) -> Step:
        """Begin."""
        return self._next()

    def hear(self, heard: Heard) -> Step:
        """Take speech."""
        self.told.append(heard)
        return self._next()

    def press(self, digits: str) -> Step:
        """Take keys."""
        self.told.append(digits)
        return self._next()

    def silence(self) -> Step:
        """Take silence."""
        self.told.append("silence")
        return self._next()

    def ask_again(self) -> Step:
        """Take note that speech was not recognised this once."""
        self.told.append("ask_again")
        return self._next()

    def repeat(self) -> Step:
        """Take note that the question is to be asked again."""
        self.told.append("repeat")
        return self._next()

    def offer_keys(self) -> Step:
        """Take note that speech cannot be recognised."""
        self.told.append("offer_keys")
        return self._next()

    def _next(self) -> Step:
        return self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
