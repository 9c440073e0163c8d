"""The JSGF of a question: well formed, loadable, and answered by what it allows."""

import importlib
import re
from datetime import date
from pathlib import Path

import pytest

from parley.conversation.flow.loader import load_flow
from parley.conversation.flow.run import FlowRun
from parley.conversation.flow.step import Heard, Listen
from tests.conversation.flow.building import Walk, small_flow

pocketsphinx = importlib.import_module("pocketsphinx")
ROOT = Path(__file__).resolve().parents[3]
DICTIONARY = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))


def loads_in_pocketsphinx(grammar: str, folder: Path) -> bool:
    file = folder / "answer.gram"
    file.write_text(grammar, encoding="utf-8")
    pocketsphinx.Decoder(lm=None, jsgf=str(file), loglevel="FATAL")
    return True


@pytest.fixture(scope="module")
def dictionary() -> frozenset[str]:
    lines = DICTIONARY.read_text(encoding="utf-8").splitlines()
    return frozenset(line.split(maxsplit=1)[0] for line in lines if line)


@pytest.mark.parametrize(
    "slot",
    [
        "{type: yes_no}",
        "{type: digits, length: 4 to 8}",
        "{type: number}",
        "{type: number, range: 1 to 12}",
        "{type: day}",
        "{type: choice, options: {am: ['[in the] morning'], pm: ['o''clock (please | thanks)']}}",
    ],
)
def test_grammar_of_a_slot_and_of_its_read_back_load(slot: str, tmp_path: Path) -> None:
    flow = small_flow(f"slots: {{x: {slot}}}\nnodes: {{ask_day: {{slot: x, correct: [day]}}}}")
    walk = Walk(flow)
    assert loads_in_pocketsphinx(walk.listen.grammar, tmp_path)
    walk.hear(
        {"yes_no": "yes", "digits": "one two three four", "number": "five", "day": "today", "choice": "morning"}[
            re.findall(r"type: (\w+)", slot)[0]
        ],
        confidence=0.5,
    )
    assert loads_in_pocketsphinx(walk.listen.grammar, tmp_path)


def test_every_rule_that_is_named_is_defined() -> None:
    flow = load_flow(ROOT / "flows" / "appointment")
    for language in flow.languages:
        walk = Walk(flow, language)
        grammar = walk.listen.grammar
        defined = set(re.findall(r"^(?:public )?<(\w+)> =", grammar, re.MULTILINE))
        used = set(re.findall(r"<(\w+)>", grammar))
        assert used == defined
        assert grammar.startswith("#JSGF V1.0;\ngrammar answer;\npublic <answer> = ")
        assert grammar == grammar.lower().replace("#jsgf v1.0;", "#JSGF V1.0;")


def test_every_english_word_of_the_shipped_flow_is_in_the_dictionary(dictionary: frozenset[str]) -> None:
    flow = load_flow(ROOT / "flows" / "appointment")
    assert flow.unknown_words("en", dictionary) == []


def test_grammar_asks_only_for_words_of_the_vocabulary() -> None:
    flow = load_flow(ROOT / "flows" / "appointment")
    walk = Walk(flow)
    for answer in ("tuesday", "yes"):
        grammar = walk.listen.grammar.partition("grammar answer;")[2]
        words = set(re.sub(r"public|<\w+>|[=;()\[\]|]", " ", grammar).split())
        assert words <= flow.vocabulary("en")
        walk.hear(answer)


def test_read_back_expects_corrections(tmp_path: Path) -> None:
    walk = Walk(small_flow("slots: {day: {confirm: always}}"))
    walk.hear("Tuesday")
    grammar = walk.listen.grammar
    assert "[ <correction> ] <slot_day> [ <courtesy> ]" in grammar
    assert "<taken_back> <day_short> <slot_day>" in grammar
    for word in ("yes", "said", "operator", "goodbye"):
        assert f" {word} " in grammar


def test_word_missing_from_a_dictionary_is_found(dictionary: frozenset[str]) -> None:
    flow = small_flow("intents: {help: {phrases: [call parleyphone]}}")
    assert flow.unknown_words("en", dictionary) == ["parleyphone"]


def test_greeting_may_come_before_an_answer_but_not_before_yes_or_no() -> None:
    run = FlowRun(load_flow(ROOT / "flows" / "appointment"), "en", {}, date(2026, 3, 2))
    asked = run.start().then
    confirmed = run.hear(Heard("hello tuesday")).then
    assert isinstance(asked, Listen)
    assert isinstance(confirmed, Listen)
    assert "[ <greeting> ]" in asked.grammar
    assert "<greeting>" not in confirmed.grammar
