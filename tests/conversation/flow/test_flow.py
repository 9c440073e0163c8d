"""What a loaded flow tells about itself."""

from pathlib import Path

import pytest

from parley.conversation.flow.loader import load_flow
from tests.conversation.flow.building import Walk, small_flow

ROOT = Path(__file__).resolve().parents[3]


def test_fixed_prompts_are_the_very_lines_that_are_spoken() -> None:
    flow = small_flow("nodes: {ask_day: {say: 'Hello. Your number is {ani:digits}.'}}")
    fixed = flow.fixed_prompts("en")
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
    fixed = flow.fixed_prompts(language)
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
