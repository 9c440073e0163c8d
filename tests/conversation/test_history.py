"""What both sides experienced."""

from parley.conversation.history import Exchange, History
from parley.conversation.record import Turn
from parley.conversation.timings import TurnTimeline
from parley.conversation.turns import BegunTurn, greeting


def test_exchanges_hold_only_what_was_heard() -> None:
    history = History()
    history.begin(greeting(8000), node="start", agent_text="Good morning. How can I help you?")
    history.end("Good morning.", speech_ready=None, first_sound=None)
    answer = Turn(number=0, node="start", at_ms=2000, caller_text="sales")
    history.begin(BegunTurn(answer, TurnTimeline(8000, began=16_000)), node="day", agent_text="Which day?")
    turn = history.end("Which day?", speech_ready=17_600, first_sound=17_760)
    assert history.exchanges == [Exchange("", "Good morning."), Exchange("sales", "Which day?")]
    assert turn is not None
    assert (turn.number, turn.node, turn.timings.response_ms) == (1, "start", 220)


def test_greeting_belongs_to_the_node_that_waits_after_it() -> None:
    history = History()
    history.begin(greeting(8000), node="start", agent_text="Hello.")
    turn = history.end("Hello.", None, None)
    assert turn is not None
    assert (turn.number, turn.node) == (0, "start")


def test_nothing_is_closed_twice() -> None:
    history = History()
    history.begin(greeting(8000), node="start", agent_text="Hello.")
    history.end("Hello.", None, None)
    assert history.end("Hello.", None, None) is None
    assert len(history.turns) == 1
