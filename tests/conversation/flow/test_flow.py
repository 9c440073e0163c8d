"""What a loaded flow tells about itself."""

from pathlib import Path

import pytest

from parley.conversation.flow.loader import load_flow
from parley.conversation.flow.rehearsal import load_rehearsals, rehearse
from parley.conversation.flow.step import Line
from tests.conversation.flow.building import Walk, small_flow

ROOT = Path(__file__).resolve().parents[3]


def test_fixed_prompts_are_the_very_lines_that_are_spoken() -> None:
    flow = small_flow("nodes: {ask_day: {say: 'Hello. Your number is {ani:digits}.'}}")
    fixed = [line.text for line in flow.fixed_prompts("en")]
    walk = Walk(flow, facts={"ani": "12"})
    texts = [line.text for line in walk.step.say]
    assert texts == ["Hello.", "Your number is 1 2.", "Which day?"]
    assert [text in fixed for text in texts] == [True, False, True]
    assert fixed[:2] == ["Hello.", "Which day?"]
    for action in (walk.silence, walk.silence):
        action()
        assert [line.text for line in walk.step.say if line.text not in fixed and "number" not in line.text] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_fixed_prompts_of_the_shipped_flow_cover_a_call_by_keys(language: str) -> None:
    flow = load_flow(ROOT / "flows" / "appointment")
    fixed = [line.text for line in flow.fixed_prompts(language)]
    assert len(fixed) == len(set(fixed))
    walk = Walk(flow, language)
    spoken = list(walk.step.say)
    for action in ("", "", "4", "1", "", "", "123456", "2", "", "1", "", "0"):
        walk.silence() if action == "" else walk.press(action)
        spoken += walk.step.say
    uncached = {line.text for line in spoken if line.text not in fixed}
    assert len(uncached) == 2, uncached


def test_sentence_without_a_value_is_left_out() -> None:
    flow = small_flow("nodes: {ask_day: {say: 'You call from {ani}. Hello.'}}")
    assert Walk(flow).said == "Hello. Which day?"
    assert Walk(flow, facts={"ani": "12"}).said == "You call from 12. Hello. Which day?"


def test_no_call_waits_for_a_grammar_or_a_phrase_book_to_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = load_flow(ROOT / "flows" / "appointment")
    rehearsals = load_rehearsals(ROOT / "flows" / "appointment")

    def refuse(*args: object) -> None:
        raise AssertionError("made during a call")

    monkeypatch.setattr("parley.conversation.flow.flow.write_grammar", refuse)
    monkeypatch.setattr("parley.conversation.flow.edition.PhraseBook", refuse)
    monkeypatch.setattr("parley.conversation.flow.edition.compile_prompt", refuse)
    assert rehearsals
    for rehearsal in rehearsals:
        assert rehearse(flow, rehearsal) == []


def test_questions_after_an_echo_are_made_ready_too(monkeypatch: pytest.MonkeyPatch) -> None:
    change = """
slots: {day: {confirm: echo}, size: {type: number}}
nodes:
  ask_day: {go: ask_size}
  ask_size: {ask: 'How many?', slot: size, go: done}
"""
    flow = small_flow(change)

    def refuse(*args: object) -> None:
        raise AssertionError("made during a call")

    monkeypatch.setattr("parley.conversation.flow.flow.write_grammar", refuse)
    monkeypatch.setattr("parley.conversation.flow.edition.PhraseBook", refuse)
    walk = Walk(flow)
    walk.hear("tomorrow")
    walk.hear("no, Thursday")
    assert walk.said == "I have Thursday. Is that right?"
    walk.hear("yes")
    assert walk.hear("two", confidence=0.5) == "I have two. Is that right?"
    walk.hear("goodbye", confidence=0.5)
    assert walk.said == "Did you say goodbye?"


def test_prompt_says_whether_its_text_is_to_be_left_as_it_is() -> None:
    flow = small_flow("nodes: {ask_day: {say: [{en: 'Dial 4711.', as_written: true}, 'Press 1.']}}")
    assert [(line.text, line.as_written) for line in Walk(flow).step.say[:2]] == [
        ("Dial 4711.", True),
        ("Press 1.", False),
    ]
    assert Line("Dial 4711.", as_written=True) in flow.fixed_prompts("en")
