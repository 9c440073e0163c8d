"""The slot types in a conversation."""

import pytest

from parley.conversation.flow.step import AnswerKind, KeyPlan
from tests.conversation.flow.building import Walk, small_flow


def walk_with(slot: str) -> Walk:
    return Walk(small_flow(f"slots: {{x: {slot}}}\nnodes: {{ask_day: {{slot: x}}, done: {{say: 'Got {{x}}.'}}}}"))


@pytest.mark.parametrize(
    ("slot", "words", "value", "said"),
    [
        ("{type: yes_no}", "yeah sure", "yes", "Got yes."),
        ("{type: yes_no}", "no thank you", "no", "Got no."),
        ("{type: digits, length: 6}", "my number is one two three four five six", "123456", "Got 1 2 3 4 5 6."),
        ("{type: digits, length: 3 to 5}", "double oh seven", "007", "Got 0 0 7."),
        ("{type: digits, length: 4}", "I have one, it's 12 34", "1234", "Got 1 2 3 4."),
        ("{type: number}", "about two hundred and five", "205", "Got two hundred five."),
        ("{type: number, range: 1 to 8}", "for 6 people", "6", "Got six."),
        ("{type: free}", "The lift is stuck, again!", "The lift is stuck, again!", "Got The lift is stuck, again!."),
        ("{type: choice, options: {am: [morning], pm: [afternoon]}}", "in the morning", "am", "Got am."),
        ("{type: choice, options: {am: [morning], pm: [afternoon]}}", "not morning, afternoon", "pm", "Got pm."),
        (
            "{type: choice, options: {am: {phrases: [early], label: the early one}, pm: [late]}}",
            "early",
            "am",
            "Got the early one.",
        ),
    ],
)
def test_value_is_understood_stored_and_spoken(slot: str, words: str, value: str, said: str) -> None:
    walk = walk_with(slot)
    assert walk.hear(words) == said
    assert walk.run.result.slots == {"x": value}


@pytest.mark.parametrize(
    ("slot", "words", "complaint"),
    [
        ("{type: digits, length: 6}", "one two three", "That number should have 6 digits."),
        ("{type: digits, length: 4 to 6}", "one two", "Please key in 4 to 6 digits, then press the pound key."),
        ("{type: number, range: 1 to 8}", "twelve", "That should be between one and eight."),
        ("{type: number, range: 1 to 8, invalid: 'We seat eight.'}", "twelve", "We seat eight."),
        ("{type: yes_no}", "maybe", "Sorry, I didn't understand that."),
        ("{type: number}", "two or three", "Sorry, I didn't understand that."),
    ],
)
def test_value_that_will_not_do_is_explained(slot: str, words: str, complaint: str) -> None:
    walk = walk_with(slot)
    assert walk.hear(words) == f"{complaint} Which day?"


@pytest.mark.parametrize(
    ("slot", "kind", "keys", "pressed", "value"),
    [
        ("{type: yes_no}", AnswerKind.YES_NO, 1, "2", "no"),
        ("{type: digits, length: 4 to 6}", AnswerKind.DIGITS, 6, "0012#", "0012"),
        ("{type: digits, length: 1}", AnswerKind.DIGITS, 1, "0", "0"),
        ("{type: number, range: 0 to 500}", AnswerKind.NUMBER, 3, "0", "0"),
        ("{type: number, range: 0 to 500}", AnswerKind.NUMBER, 3, "042", "42"),
        ("{type: choice, options: {am: [morning], pm: [afternoon]}}", AnswerKind.CHOICE, 1, "2", "pm"),
        ("{type: day}", AnswerKind.DAY, 4, "0228", "2027-02-28"),
    ],
)
def test_every_type_is_answered_by_keys(slot: str, kind: AnswerKind, keys: int, pressed: str, value: str) -> None:
    walk = walk_with(slot)
    assert walk.listen.kind is kind
    assert walk.listen.keys == KeyPlan(min_digits=1, max_digits=keys)
    walk.press(pressed)
    assert walk.run.result.slots == {"x": value}


def test_free_question_is_passed_by_key_without_an_answer() -> None:
    walk = walk_with("{type: free, confirm: always}")
    assert walk.listen.grammar == ""
    assert walk.hear("") == "Sorry, I didn't understand that. Which day?"
    walk.press("1")
    assert walk.run.result.slots == {}
    assert walk.run.node == "done"


def test_free_question_still_hears_a_wish_for_a_person() -> None:
    walk = walk_with("{type: free}")
    walk.hear("look I want to speak to a person")
    assert walk.transfer.destination == "reception"
