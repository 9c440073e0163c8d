"""Walking through flows: failures, confidence, keys, corrections, ends."""

from datetime import date

import pytest

from parley.conversation.flow.run import MAX_INPUTS_PER_QUESTION, FlowEnded, FlowRun
from parley.conversation.flow.step import AnswerKind, GoOn, HangUp, Heard, KeyPlan
from parley.conversation.flow.template import FORMS
from tests.conversation.flow.building import MONDAY, Walk, small_flow

CHOICES = """
intents:
  sales: {phrases: [sales, buy something], label: sales}
  billing: {phrases: [billing, my bill], label: your bill}
  hours: {phrases: [opening hours], label: opening hours, everywhere: hours}
nodes:
  ask_day:
    ask: How can I help?
    slot: null
    go: null
    choices: {sales: done, billing: {go: desk, key: 7}}
  desk: {say: One moment., intent: bill, transfer: accounts}
  hours: {say: Nine to five., go: back}
"""


def test_answer_leads_on_and_is_stored_normalised() -> None:
    walk = Walk(small_flow())
    assert walk.listen.kind is AnswerKind.DAY
    assert walk.hear("well, Thursday please") == "See you on Thursday."
    assert isinstance(walk.step.then, HangUp)
    assert walk.run.result.slots == {"day": "2026-03-05"}
    assert walk.run.result.outcome == "booked"
    assert walk.run.node == "done"


def test_input_after_the_end_is_refused() -> None:
    walk = Walk(small_flow())
    walk.hear("Thursday")
    for call in (
        lambda: walk.hear("x"),
        lambda: walk.press("1"),
        walk.silence,
        walk.run.start,
        walk.run.ask_again,
        walk.run.repeat,
        walk.run.offer_keys,
    ):
        with pytest.raises(FlowEnded):
            call()


def test_input_before_the_start_is_refused() -> None:
    run = FlowRun(small_flow(), "en", {}, MONDAY)
    with pytest.raises(FlowEnded, match="not been started"):
        run.hear(Heard("Thursday"))


def test_language_that_the_flow_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="does not speak zh"):
        FlowRun(small_flow(), "zh", {}, MONDAY)


def test_retries_change_then_offer_keys_then_give_up() -> None:
    walk = Walk(small_flow())
    assert walk.hear("purple") == "Sorry, I didn't understand that. Which day?"
    said = walk.silence()
    assert said.startswith("I still can't hear you.")
    assert "Which day?" in said
    assert said.endswith("To speak to a person, press 0.")
    said = walk.hear("purple")
    assert said.startswith("I'm sorry, I can't seem to understand.")
    assert walk.transfer.destination == "reception"
    assert walk.run.result.gave_up
    assert walk.run.result.outcome == "not_understood"


def test_own_retry_prompts_replace_the_question_and_own_keys_the_announcement() -> None:
    walk = Walk(
        small_flow(
            "nodes: {ask_day: {no_match: [Say a day., Again., Last time.], keys: Use the keys., tries: 4,"
            " give_up: done}}"
        )
    )
    assert walk.hear("purple") == "Say a day."
    assert walk.hear("purple") == "Again. Use the keys."
    assert walk.hear("repeat") == "Which day? Use the keys."
    assert walk.hear("purple") == "Last time. Use the keys."
    assert walk.hear("purple") == ""
    assert isinstance(walk.step.then, HangUp)
    assert walk.run.result.gave_up


def test_rejected_and_unsure_answers_are_not_taken_at_their_word() -> None:
    flow = small_flow("confidence: {reject: 0.4, accept: 0.7}")
    assert Walk(flow).hear("Thursday", rejected=True).startswith("Sorry")
    assert Walk(flow).hear("Thursday", confidence=0.39).startswith("Sorry")
    walk = Walk(flow)
    assert walk.hear("Thursday", confidence=0.69) == "I have Thursday. Is that right?"
    assert walk.run.result.slots == {}
    assert walk.listen.kind is AnswerKind.YES_NO
    assert walk.listen.keys == KeyPlan()
    assert walk.hear("yes", confidence=0.41) == "See you on Thursday."
    assert Walk(flow).hear("Thursday", confidence=0.7) == "See you on Thursday."


@pytest.mark.parametrize(
    "words",
    [
        "no, Thursday",
        "Thursday",
        "I said Thursday",
        "not Wednesday, Thursday",
        "no no I meant Thursday",
        "make it Thursday",
        "Wednesday, no, Thursday",
        "no not Wednesday but Thursday please",
    ],
)
def test_correction_at_the_read_back_is_read_back_again(words: str) -> None:
    walk = Walk(small_flow("slots: {day: {confirm: always}}"))
    assert "Wednesday" in walk.hear("Wednesday")
    assert walk.hear(words) == "I have Thursday. Is that right?"
    walk.hear("yes that's right")
    assert walk.run.result.slots == {"day": "2026-03-05"}


@pytest.mark.parametrize("words", ["no", "that's wrong", "not Wednesday", "no, Wednesday", "Nope."])
def test_denial_at_the_read_back_asks_again(words: str) -> None:
    walk = Walk(small_flow("slots: {day: {confirm: always}}"))
    walk.hear("Wednesday")
    assert walk.hear(words) == "Sorry about that. Which day?"
    assert walk.run.result.slots == {}


@pytest.mark.parametrize("words", ["yes", "Wednesday", "yes, Wednesday", "that's correct", "uh okay"])
def test_agreement_at_the_read_back_goes_on(words: str) -> None:
    walk = Walk(small_flow("slots: {day: {confirm: always}}"))
    walk.hear("Wednesday")
    assert walk.hear(words) == "See you on Wednesday."


def test_endless_denials_give_up() -> None:
    walk = Walk(small_flow("slots: {day: {confirm: always}}"))
    for _ in range(3):
        walk.hear("Wednesday")
        walk.hear("no")
    assert walk.transfer.destination == "reception"
    assert walk.run.result.gave_up


def test_endless_corrections_give_up() -> None:
    walk = Walk(small_flow("slots: {day: {confirm: always}}"))
    for at in range(MAX_INPUTS_PER_QUESTION):
        walk.hear("Wednesday" if at % 2 else "no, Thursday")
    walk.hear("bananas")
    assert walk.run.result.gave_up


def test_two_days_in_one_answer_are_not_guessed_between() -> None:
    assert Walk(small_flow()).hear("Tuesday or Thursday").startswith("Sorry")


def test_earlier_slot_is_corrected_later_where_declared() -> None:
    change = """
slots: {member: {type: digits, length: 4}}
nodes:
  ask_day: {go: ask_member}
  ask_member: {ask: 'Your number?', slot: member, correct: [day], go: done}
"""
    walk = Walk(small_flow(change))
    walk.hear("Tuesday")
    assert walk.hear("sorry, I meant Thursday") == "I have Thursday. Is that right?"
    assert walk.listen.node == "ask_member"
    assert walk.hear("yes") == "Your number?"
    assert walk.hear("one two three four") == "See you on Thursday."


def test_echoed_value_can_be_corrected_at_the_next_question_only() -> None:
    change = """
slots: {day: {confirm: echo}, sure: {type: yes_no}, more: {type: yes_no}}
nodes:
  ask_day: {go: ask_sure}
  ask_sure: {ask: 'Sure?', slot: sure, go: ask_more}
  ask_more: {ask: 'More?', slot: more, go: done}
"""
    walk = Walk(small_flow(change))
    assert walk.hear("Wednesday") == "Wednesday. Sure?"
    assert "slot_day" in walk.listen.grammar
    assert walk.hear("no, Thursday") == "I have Thursday. Is that right?"
    walk.hear("yes")
    walk.hear("no")
    assert "slot_day" not in walk.listen.grammar
    assert walk.hear("no, Friday") == "See you on Thursday."
    assert walk.run.result.slots == {"day": "2026-03-05", "sure": "no", "more": "no"}


def test_choice_by_voice_by_key_and_unsure() -> None:
    flow = small_flow(CHOICES)
    assert Walk(flow).listen.kind is AnswerKind.CHOICE
    walk = Walk(flow)
    assert walk.hear("it is about my bill") == "One moment."
    assert walk.transfer.destination == "accounts"
    assert walk.run.result.intent == "bill"
    assert Walk(flow).press("7") == "One moment."
    walk = Walk(flow)
    assert walk.hear("billing", confidence=0.5) == "Did you say your bill?"
    assert walk.hear("no, sales") == ""
    assert walk.run.node == "done"
    walk = Walk(flow)
    walk.hear("billing", confidence=0.5)
    assert walk.press("1") == "One moment."
    walk = Walk(flow)
    walk.hear("billing", confidence=0.5)
    assert walk.hear("no") == "Sorry about that. How can I help?"


def test_keys_of_choices_are_announced_after_the_first_failure() -> None:
    walk = Walk(small_flow(CHOICES))
    assert walk.hear("purple").endswith("For sales, press 1. For your bill, press 7. To speak to a person, press 0.")


def test_intent_everywhere_comes_back_to_the_question() -> None:
    walk = Walk(small_flow(CHOICES))
    assert walk.hear("opening hours") == "Nine to five. How can I help?"
    assert walk.listen.node == "ask_day"


def test_back_at_a_read_back_reads_back_again() -> None:
    change = """
slots: {day: {confirm: always}}
intents: {hours: {phrases: [opening hours], everywhere: hours}}
nodes: {hours: {say: Nine to five., go: back}}
"""
    walk = Walk(small_flow(change))
    walk.hear("Wednesday")
    assert walk.hear("opening hours") == "Nine to five. I have Wednesday. Is that right?"
    assert walk.hear("yes") == "See you on Wednesday."


def test_value_said_along_with_an_intent_is_not_asked_again() -> None:
    change = """
intents: {book: {phrases: ["book [me in] [for {day}]"]}}
nodes:
  hello: {ask: 'Hello?', choices: {book: ask_day}}
start: hello
"""
    walk = Walk(small_flow(change))
    assert walk.hear("uh, book me in for next Tuesday") == "See you on Tuesday, March tenth."
    walk = Walk(small_flow(change))
    assert walk.hear("book me in") == "Which day?"


@pytest.mark.parametrize(
    ("words", "said", "ends"),
    [
        ("can I talk to a human being", "Of course. Let me put you through to someone.", True),
        ("goodbye", "Thank you for calling. Goodbye.", True),
        ("could you repeat that", "Which day?", False),
        ("start over please", "All right, let's start again. Which day?", False),
    ],
)
def test_built_in_intents_are_understood_at_every_question(words: str, said: str, ends: bool) -> None:
    walk = Walk(small_flow())
    assert walk.hear(words) == said
    if ends:
        with pytest.raises(FlowEnded):
            walk.silence()


def test_person_is_reached_by_key_and_the_queue_agent_hears_why() -> None:
    walk = Walk(small_flow("summary: ['Wants {day}.', 'The caller {reason}.']"))
    walk.press("0")
    assert walk.transfer.destination == "reception"
    assert walk.transfer.summary == "The caller asked for a person."
    assert walk.run.result.outcome == "person"


def test_help_announces_the_keys_and_star_repeats() -> None:
    walk = Walk(small_flow("nodes: {ask_day: {help: 'Any day will do.'}}"))
    said = walk.hear("help")
    assert said.startswith("Any day will do. Which day? Press 8 for today")
    assert walk.press("*") == said.removeprefix("Any day will do. ")


def test_start_over_forgets_slots() -> None:
    walk = Walk(
        small_flow(
            "slots: {sure: {type: yes_no}}\nnodes: {ask_day: {go: sure}, sure: {ask: 'Sure?', slot: sure, go: done}}"
        )
    )
    walk.hear("Tuesday")
    walk.hear("start over")
    assert walk.run.result.slots == {}
    assert walk.listen.node == "ask_day"


@pytest.mark.parametrize(
    ("keys", "day"),
    [
        ("8", "2026-03-02"),
        ("9", "2026-03-03"),
        ("1", "2026-03-09"),
        ("7", "2026-03-08"),
        ("0305", "2026-03-05"),
        ("0301#", "2027-03-01"),
    ],
)
def test_days_by_keys(keys: str, day: str) -> None:
    walk = Walk(small_flow())
    walk.press(keys)
    assert walk.run.result.slots == {"day": day}


@pytest.mark.parametrize("keys", ["1332", "12", "#", "", "3*", "99999"])
def test_keys_that_mean_nothing_are_a_failure(keys: str) -> None:
    walk = Walk(small_flow())
    assert walk.press(keys).startswith("Sorry, I didn't understand that.")


def test_speech_that_failed_once_leaves_the_rest_of_the_call_as_it_was() -> None:
    walk = Walk(small_flow("slots: {day: {confirm: always}}"))
    walk.step = walk.run.ask_again()
    assert walk.said.startswith("Sorry, I didn't understand that. Which day? Press 8 for today")
    assert walk.listen.grammar
    assert "Press" not in walk.hear("tomorrow")
    for _ in range(3):
        walk.step = walk.run.ask_again()
    assert walk.hear("yes") == "See you on tomorrow."


def test_question_can_be_repeated_without_an_apology_and_without_end() -> None:
    walk = Walk(small_flow("slots: {day: {confirm: always}}"))
    for _ in range(10):
        walk.step = walk.run.repeat()
        assert walk.said == "Which day?"
    assert "tomorrow" in walk.hear("tomorrow")


def test_keys_alone_carry_the_call_when_speech_is_gone() -> None:
    walk = Walk(small_flow("slots: {day: {confirm: always}}"))
    walk.step = walk.run.offer_keys()
    assert walk.said.startswith("Which day? Press 8 for today")
    assert walk.press("9").endswith("Press 1 for yes, or 2 for no. To speak to a person, press 0.")
    assert walk.press("2").startswith("Sorry about that. Which day? Press 8 for today")
    walk.press("9")
    assert walk.press("1") == "See you on tomorrow."


def test_closed_and_distant_days_are_explained() -> None:
    walk = Walk(small_flow("slots: {day: {open: monday to friday, latest: 30}}"))
    assert walk.hear("Sunday") == "We are closed on Sunday. Which day?"
    assert walk.hear("the first of May").startswith("That would be Friday, May first, which I cannot offer. Which day?")


def test_branches_depend_on_slots_and_variables() -> None:
    change = """
variables: {vip: "no"}
nodes:
  ask_day:
    go:
      - {when: {vip: yes, day: ["2026-03-03", "2026-03-04"]}, to: desk}
      - {unless: {ani: ""}, to: dialplan}
      - {to: done}
  desk: {transfer: {number: "+44123"}}
  dialplan: {set: {from: "{ani}"}, end: dialplan}
"""
    flow = small_flow(change)
    walk = Walk(flow, facts={"vip": "yes"})
    walk.hear("tomorrow")
    assert walk.transfer.is_number
    assert walk.transfer.destination == "+44123"
    walk = Walk(flow, facts={"vip": "yes", "ani": "555"})
    walk.hear("Thursday")
    assert isinstance(walk.step.then, GoOn)
    assert walk.run.result.slots == {"day": "2026-03-05", "from": "555"}
    walk = Walk(flow, facts={"vip": ""})
    walk.hear("tomorrow")
    assert isinstance(walk.step.then, HangUp)


def test_undeclared_variable_of_the_call_is_not_seen() -> None:
    flow = small_flow("variables: {queue: sales}\nfallback: '{queue}'")
    walk = Walk(flow, facts={"queue": "support", "day": "2026-01-01"})
    walk.press("0")
    assert walk.transfer.destination == "support"
    assert walk.run.result.slots == {}
    assert flow.fallback_queue == "sales"


def test_fallback_queue_of_the_agent_replaces_the_flows_own() -> None:
    run = FlowRun(small_flow(), "en", {}, date(2026, 3, 2), fallback_queue="night_desk")
    run.start()
    then = run.press("0").then
    assert getattr(then, "destination", None) == "night_desk"


def test_lines_that_must_be_heard_cannot_be_interrupted() -> None:
    flow = small_flow("nodes: {ask_day: {say: [{en: 'Recorded. For quality.', interruptible: false}, Welcome.]}}")
    assert [line.interruptible for line in Walk(flow).step.say] == [False, False, True, True]


def test_waits_follow_the_node_then_the_flow() -> None:
    assert Walk(small_flow("wait: 4")).listen.no_input_ms == 4000
    assert Walk(small_flow("wait: 4\nnodes: {ask_day: {wait: 9.5}}")).listen.no_input_ms == 9500


ODD_NUMBERS = ("²", "12²", "①", "٣٤", "४", "１２", "9" * 5000, "+1", "-1", "1e3", "none", "2026-02-30", " ")


@pytest.mark.parametrize("form", [f":{form}" for form in FORMS] + [""])
def test_no_calling_number_can_break_the_call(form: str) -> None:
    flow = small_flow(f"nodes: {{ask_day: {{say: 'You are {{ani{form}}}.'}}}}")
    for ani in ODD_NUMBERS:
        assert Walk(flow, facts={"ani": ani}).said.endswith("Which day?")


SLOTS = (
    "{type: yes_no}",
    "{type: digits, length: 1 to 20}",
    "{type: number}",
    "{type: choice, options: {am: [morning], pm: [afternoon]}}",
    "{type: day}",
    "{type: free}",
)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("slot", SLOTS)
def test_nothing_that_is_said_or_keyed_can_break_the_call(slot: str, language: str) -> None:
    nodes = "{ask_day: {slot: x}, done: {say: 'Got {x}.'}}"
    flow = small_flow(f"languages: [{language}]\nslots: {{x: {slot}}}\nnodes: {nodes}")
    for odd in ODD_NUMBERS:
        said, keyed = Walk(flow, language), Walk(flow, language)
        said.hear(odd)
        keyed.press(odd)
        for walk in (said, keyed):
            assert walk.said
            assert slot == "{type: free}" or walk.run.result.slots.get("x", "").isascii()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("slot", SLOTS[:-1])
def test_slot_that_is_set_to_what_is_no_value_of_it_is_empty(slot: str, language: str) -> None:
    nodes = "{hello: {set: {x: '{ani}'}, go: ask_day}, ask_day: {say: 'Got {x}.'}}"
    flow = small_flow(f"languages: [{language}]\nstart: hello\nslots: {{x: {slot}}}\nnodes: {nodes}")
    for odd in ODD_NUMBERS:
        walk = Walk(flow, language, {"ani": odd})
        assert "x" not in walk.run.result.slots, odd
        assert "Got" not in walk.said


@pytest.mark.parametrize(
    ("slot", "value"), list(zip(SLOTS, ("yes", "0123", "1250", "pm", "2026-03-05", "at noon"), strict=True))
)
def test_slot_can_be_set_to_a_value_of_it(slot: str, value: str) -> None:
    nodes = "{hello: {set: {x: '{ani}'}, go: ask_day}, ask_day: {say: 'Got {x}.'}}"
    walk = Walk(small_flow(f"start: hello\nslots: {{x: {slot}}}\nnodes: {nodes}"), facts={"ani": value})
    assert walk.run.result.slots == {"x": value}
    assert walk.said.startswith("Got ")
