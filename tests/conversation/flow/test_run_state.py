"""A run that goes on where another one was: nothing answered is asked again, nothing is forgotten."""

from dataclasses import replace

import pytest

from parley.conversation.errors import CannotResume
from parley.conversation.flow.flow import Flow
from parley.conversation.flow.run import FlowRun
from parley.conversation.flow.run_state import RunState
from parley.conversation.flow.step import Heard, Listen, Transfer
from tests.conversation.flow.building import MONDAY, Walk, small_flow

TWO_QUESTIONS = """
variables: {clinic: North}
slots:
  day: {type: day, confirm: echo}
  number: {type: digits, length: 4, confirm: always}
nodes:
  ask_day: {ask: "Which day at {clinic}?", go: ask_number}
  ask_number:
    ask: What is your number?
    slot: number
    set: {visit: first}
    go: done
"""
APOLOGY = "Sorry, I lost you for a moment."


def flow() -> Flow:
    return small_flow(TWO_QUESTIONS)


def state_of(walk: Walk) -> RunState:
    state = walk.run.state
    assert state is not None
    return state


class TakenUp(Walk):
    """A walk that goes on from another one's state."""

    def __init__(self, flow: Flow, state: RunState, fallback_queue: str = "") -> None:
        self.run = FlowRun.restored(flow, state, fallback_queue)
        self.step = self.run.start()


def test_restored_run_apologises_and_asks_the_waiting_question_again() -> None:
    walk = TakenUp(flow(), state_of(Walk(flow(), facts={"clinic": "South"})))
    assert walk.said == f"{APOLOGY} Which day at South?"
    assert walk.listen.node == "ask_day"


def test_answers_variables_and_what_is_corrected_are_kept() -> None:
    before = Walk(flow())
    before.hear("thursday")
    after = TakenUp(flow(), state_of(before))
    assert after.said == f"{APOLOGY} What is your number?"
    assert after.run.result == before.run.result
    assert after.run.result.slots == {"day": "2026-03-05", "visit": "first"}
    assert "Friday" in after.hear("no, friday")


def test_read_back_is_asked_again_and_a_yes_confirms_it() -> None:
    before = Walk(flow())
    before.hear("thursday")
    question = before.press("4715")
    after = TakenUp(flow(), state_of(before))
    assert after.said == f"{APOLOGY} {question}"
    after.hear("yes")
    assert after.run.result.slots["number"] == "4715"
    assert after.run.result.outcome == "booked"


def test_failures_go_on_counting() -> None:
    before = Walk(flow())
    before.hear("purple")
    before.silence()
    after = TakenUp(flow(), state_of(before))
    after.hear("purple")
    assert isinstance(after.step.then, Transfer)
    assert after.run.result.gave_up


def test_speech_that_was_given_up_stays_given_up() -> None:
    before = Walk(flow())
    before.run.offer_keys()
    after = TakenUp(flow(), state_of(before))
    assert after.said.endswith("To speak to a person, press 0.")


def test_every_state_of_a_walk_asks_the_same_as_the_walk_itself() -> None:
    walk = Walk(flow())
    for answer in ("purple", "thursday", "four seven one five", "no", "four seven one six"):
        walk.hear(answer, confidence=0.9)
        after = TakenUp(flow(), state_of(walk))
        assert isinstance(walk.step.then, Listen)
        assert after.step.then == walk.step.then
        assert after.run.state == walk.run.state


def test_day_of_the_call_stays_the_day_that_the_call_began() -> None:
    after = TakenUp(flow(), state_of(Walk(flow())))
    after.hear("today")
    assert after.run.result.slots["day"] == "2026-03-02"


def test_run_that_asks_nothing_has_no_state() -> None:
    run = FlowRun(flow(), "en", {}, MONDAY)
    assert run.state is None
    walk = Walk(small_flow())
    walk.run.hear(Heard("Thursday"))
    assert walk.run.state is None


def test_changed_flow_asks_the_nodes_own_question_instead_of_the_read_back() -> None:
    before = Walk(flow())
    before.hear("thursday")
    before.press("4715")
    changed = replace(state_of(before), fingerprint="older", slots={"day": "2026-03-05", "removed": "x"})
    after = TakenUp(flow(), changed)
    assert after.said == f"{APOLOGY} What is your number?"
    assert after.run.result.slots == {"day": "2026-03-05", "visit": "first"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"flow": "other"}, "began in flow other"),
        ({"language": "zh"}, "which the agent does not use"),
        ({"node": "removed"}, "no question 'removed'"),
        ({"node": "done"}, "no question 'done'"),
    ],
)
def test_flow_without_the_question_cannot_go_on(change: dict[str, str], why: str) -> None:
    state = replace(state_of(Walk(flow())), **change)  # type: ignore[arg-type]
    with pytest.raises(CannotResume, match=why):
        FlowRun.restored(flow(), state)


def test_apology_can_be_reworded_by_the_flow() -> None:
    own = small_flow("sayings: {resumed: So sorry.}")
    assert TakenUp(own, state_of(Walk(own))).said == "So sorry. Which day?"
