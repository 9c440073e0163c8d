"""What the grammar lets a recogniser hear, the flow understands."""

import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.conversation.flow.edition import Edition
from parley.conversation.flow.grammar import write_grammar
from parley.conversation.flow.loader import load_flow
from parley.conversation.flow.phrases import OneOf, Pattern, parse_phrase, resolve
from parley.conversation.flow.question import Ask, Confirm, Question
from parley.conversation.flow.slots import Context
from parley.conversation.flow.understanding import Correction, Understanding, Value, Wish
from tests.conversation.flow.building import MONDAY
from tests.conversation.flow.test_languages import random_sentence

FLOW = load_flow(Path(__file__).resolve().parents[3] / "flows" / "appointment")


@cache
def answers(code: str) -> list[tuple[Question, st.SearchStrategy[str]]]:
    """Return each question with the sentences that its grammar allows."""
    edition = FLOW.edition(code)
    return [(question, expected_sentences(write_grammar(edition, question))) for question in questions(edition)]


def questions(edition: Edition) -> list[Question]:
    asks = {
        name: Ask(name, node.slot or "", edition.slots[node.slot] if node.slot else None, node.choices, node.correct)
        for name, node in FLOW.spec.nodes.items()
        if node.ask is not None
    }
    return [*asks.values(), Confirm(asks["ask_day"], "day", "2026-03-03"), Confirm(asks["book"], intent="hours")]


def expected_sentences(grammar: str) -> st.SearchStrategy[str]:
    """Sentences that a JSGF grammar allows."""
    rules: dict[str, Pattern] = {}
    for name, right_side in re.findall(r"^(?:public )?<(\w+)> = (.*);$", grammar, re.MULTILINE):
        rules[name] = parse_phrase(right_side, str.split)
    public = resolve(rules["answer"], rules)
    alternatives = public.parts if isinstance(public, OneOf) else (public,)
    return st.sampled_from(alternatives).flatmap(random_sentence)


@pytest.mark.parametrize("code", FLOW.languages)
@settings(deadline=None)
@given(data=st.data())
def test_every_sentence_that_a_grammar_allows_is_understood(code: str, data: st.DataObject) -> None:
    edition = FLOW.edition(code)
    question, sentences = data.draw(st.sampled_from(answers(code)))
    sentence = data.draw(sentences)
    meaning = Understanding(edition, Context(MONDAY)).understand(question, sentence)
    calendar_may_lack_it = re.search(r"day the |thirt|twenty ninth|三 *十|二 *十 *九|不是|不要|^not|no not", sentence)
    assert isinstance(meaning, Value | Wish | Correction) or calendar_may_lack_it


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("yes", Wish("yes")),
        ("no thanks", Wish("no")),
        ("no make it Thursday", Value("2026-03-05")),
        ("not tomorrow Friday please", Value("2026-03-06")),
        ("not tomorrow", Wish("no")),
        ("tomorrow", Wish("yes")),
        ("I want to speak to an operator", Wish("person")),
        ("when are you open", Wish("hours")),
        ("Tuesday or Friday", None),
        ("blah", None),
        ("uh", None),
        ("word " * 500, None),
    ],
)
def test_answer_to_a_read_back_of_tomorrow(text: str, meaning: Value | Wish | None) -> None:
    edition = FLOW.edition("en")
    confirm = next(each for each in questions(edition) if isinstance(each, Confirm) and each.slot_name)
    assert Understanding(edition, Context(MONDAY)).understand(confirm, text) == meaning
