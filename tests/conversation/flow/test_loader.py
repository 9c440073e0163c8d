"""Loading: every mistake is told with its line and what to do."""

from pathlib import Path

import pytest

from parley.conversation.errors import FlowError
from parley.conversation.flow.loader import find_flow, load_flow, load_flow_text
from tests.conversation.flow.building import SMALL, Walk, merged, small_flow

BROKEN = """flow: broken
languages: [en, zh]
start: hello
fallback: reception
variables: {queue: sales}
synonyms:
  want: {en: [i want], zh: [我要]}
intents:
  sales:
    phrases: {en: ["<want> sales"], zh: [销售]}
slots:
  day: {type: day}
  size:
    type: choice
    options:
      small: {en: [small], zh: [小]}
      large: {en: [large], zh: [大]}
nodes:
  hello:
    ask: {en: "What is it?", zh: "什么事？"}
    choices:
      sales: order
      no: bye
  order:
    ask: {en: "Which day?", zh: "哪一天？"}
    slot: day
    go: pack
  pack:
    ask: {en: "Which size?", zh: "多大？"}
    slot: size
    go: bye
  bye:
    say: {en: "Bye.", zh: "再见。"}
    end: hangup
"""
"""Nothing is wrong with it; each case below breaks one place."""

CASES = [
    # old, new, line, what, what to do
    ("start: hello", "strat: hello", 3, "unknown key 'strat'", "did you mean 'start'?"),
    ("start: hello\n", "", 1, "'start' is missing", "add 'start:'"),
    ("start: hello", "start: helo", 3, "there is no node 'helo'", "did you mean 'hello'?"),
    ("slot: day", "slto: day", 26, "unknown key 'slto'", "did you mean 'slot'?"),
    ("slot: day", "slot: date", 26, "there is no slot 'date'", "use one of: day, size"),
    ("go: pack", "go: pakc", 27, "there is no node 'pakc'", "did you mean 'pack'?"),
    ("sales: order", "sale: order", 22, "there is no intent 'sale'", "did you mean 'sales'?"),
    ("type: day", "type: dayy", 12, "unknown slot type 'dayy'", "did you mean 'day'?"),
    ("{type: day}", "{typ: day}", 12, "the slot has no 'type'", "yes_no, digits, number, choice, day, free"),
    ("{type: day}", "{type: day, opne: monday}", 12, "unknown key 'opne'", "did you mean 'open'?"),
    ("{type: day}", "{type: day, open: mondays}", 12, "'mondays' is not a weekday", "monday to friday"),
    ("{type: day}", "{type: day, latest: soon}", 12, "'latest'", "write a number"),
    ("{type: day}", "{type: digits}", 12, "'length' is missing", "add 'length:'"),
    ("{type: day}", "{type: digits, length: 8 to 4}", 12, "upside down", "4 to 8"),
    ("{type: day}", "{type: digits, length: 99}", 12, "1 to 20 digits", "choose a length"),
    ("{type: day}", "{type: day, confirm: maybe}", 12, "'maybe' cannot stand here", "use one of"),
    ('zh: "哪一天？"', "fr: Quel jour", 25, "the text for 'zh' is missing", "add 'zh:'"),
    ('zh: "哪一天？"', "zh: 哪一天, de: Wann", 25, "'de' is not a language of this flow", "add it to 'languages:'"),
    ('en: "Which day?"', "en: '{dya} when?'", 25, "'{dya}' is never set", "did you mean 'day'?"),
    ('en: "Which day?"', "en: '{day.x}?'", 25, "is not a variable", "write {name}"),
    ('en: "Which day?"', "en: ''", 25, "a prompt is text", "write the words"),
    ("[en, zh]", "[en, fr]", 2, "there is no language 'fr'", "use one of: en, zh"),
    ("zh: [销售]", "en2: [x]", 10, "the phrases for 'zh' are missing", "add 'zh:'"),
    ('"<want> sales"', '"<wnat> sales"', 10, "<wnat> is not defined", "synonyms"),
    ('"<want> sales"', '"(sales"', 10, "'(' is not closed", "add ')'"),
    ('"<want> sales"', '"sales on {dya}"', 10, "there is no slot 'dya'", "did you mean 'day'?"),
    ('"<want> sales"', '"no thanks"', 10, "'no thanks' means both", "change one"),
    ("large: {en: [large]", "large: {en: [small]", 17, "'small' means both 'small' and 'large'", "change one"),
    ("    end: hangup", "    go: bye", 34, "comes back to itself without a question", "ask something"),
    ("    end: hangup", "    end: hang_up", 34, "'hang_up' cannot stand here", "hangup"),
    ("    end: hangup", "    go: hello\n    end: hangup", 32, "has go and end", "exactly one"),
    ("    end: hangup\n", "", 32, "does not say what comes next", "exactly one"),
    ("    end: hangup", "    end: hangup\n    tries: 2", 35, "of no use without 'ask'", "add 'ask:'"),
    ("    end: hangup", "    transfer: '{day}'", 34, "the caller would choose the destination", "cannot dial out"),
    ("    end: hangup", "    transfer: {number: 12 35}", 34, "a number is digits", "remove spaces"),
    ("    end: hangup", "    transfer: {queue: a, number: '1'}", 34, "goes to one place", "either"),
    (
        "    end: hangup",
        "    set: {queue: '{day}'}\n    end: hangup",
        34,
        "'queue' comes from the dialplan",
        "another name",
    ),
    ("    slot: size\n", "", 29, "nothing is done with the answer", "add 'slot:'"),
    ("sales: order", "sales: {go: order, key: 0}", 22, "a choice's key is 1 to 9", "docs/flows.md"),
    ("go: pack", "go: [{when: {day: x}, to: pack}]", 27, "the last branch has a condition", "add one without"),
    ("go: pack", "go: [{when: {dya: x}, to: bye}, {to: pack}]", 27, "'dya' is never set", "did you mean 'day'?"),
    ("go: pack", "go: bye", 28, "node 'pack' is never reached", "let another node"),
    ("{queue: sales}", "{day: sales}", 5, "'day' is taken", "another name"),
    ("  hello:\n", "  Hello:\n", 19, "'Hello' is not a name", "lower-case"),
    ("flow: broken", "- flow: broken", 2, "broken", "check"),
    ("fallback: reception", "fallback: '{nowhere}'", 4, "'{nowhere}' is never set", "declare it"),
    ("fallback: reception", "fallback: a\nsayings: {sory: x}", 5, "there is no saying 'sory'", "use one of"),
    ("fallback: reception", "fallback: a\nconfidence: {reject: 0.9}", 5, "'reject' is above 'accept'", "lower it"),
]


def test_flow_that_the_cases_break_is_sound() -> None:
    assert load_flow_text(BROKEN).warnings == ()


@pytest.mark.parametrize(("old", "new", "line", "what", "todo"), CASES, ids=[case[1].strip() for case in CASES])
def test_mistake_is_told_with_its_line_and_what_to_do(old: str, new: str, line: int, what: str, todo: str) -> None:
    assert BROKEN.count(old) >= 1
    with pytest.raises(FlowError) as caught:
        load_flow_text(BROKEN.replace(old, new, 1), "flows/broken/flow.yaml")
    told = [text for text in str(caught.value).splitlines() if f":{line}: " in text and what in text]
    assert told, str(caught.value)
    assert told[0].startswith(f"flows/broken/flow.yaml:{line}: ")
    assert todo in told[0].partition("; ")[2]


CHAIN = """
slots: {wanted: {type: digits, length: 4}}
nodes:
  ask_day: {ask: 'Which number?', slot: wanted, go: first}
  first: {set: {step: "{wanted}"}, go: second}
  second: {set: {via: "0044{step}"}, go: third}
  third: {transfer: DESTINATION}
"""


def destination_problem(change: str) -> str:
    with pytest.raises(FlowError) as caught:
        small_flow(change)
    return str(caught.value)


@pytest.mark.parametrize("destination", ["{number: '{via}'}", "{queue: '{via}'}", "'{via}'", "'q_{step}'"])
def test_callers_words_cannot_become_a_destination_on_any_detour(destination: str) -> None:
    told = destination_problem(CHAIN.replace("DESTINATION", destination))
    assert "the caller would choose the destination" in told
    assert ("'wanted' -> 'step' -> 'via'" in told) == ("via" in destination)


def test_order_of_the_nodes_does_not_hide_a_detour() -> None:
    change = """
nodes:
  done: {end: null, set: {c: "{b}"}, go: more}
  more: {set: {b: "{a}"}, go: last}
  last: {set: {a: "{day}"}, go: ask_again}
  ask_again: {ask: 'Which day?', slot: day, go: desk}
  desk: {transfer: "{c}"}
"""
    assert "'day' -> 'a' -> 'b' -> 'c'" in destination_problem(change)


@pytest.mark.parametrize("fact", ["ani", "dnis"])
@pytest.mark.parametrize("where", ["transfer: {number: '{X}'}", "transfer: '{X}'", "set: {y: '{X}'}, transfer: '{y}'"])
def test_number_that_the_caller_calls_from_or_dials_is_no_destination(fact: str, where: str) -> None:
    told = destination_problem(f"nodes: {{done: {{end: null, {where.replace('X', fact)}}}}}")
    assert "the caller would choose the destination" in told
    assert f"'{fact}'" in told


def test_callers_number_is_no_fallback_queue() -> None:
    assert "the caller would choose the destination" in destination_problem("fallback: '{ani}'")


def test_variable_of_the_dialplan_cannot_be_overwritten_with_callers_words_on_a_detour() -> None:
    change = """
variables: {queue: sales}
nodes: {done: {set: {x: "{ani}", queue: "{x}"}}}
"""
    told = destination_problem(change)
    assert "'queue' comes from the dialplan" in told
    assert "'ani' -> 'x' -> 'queue'" in told


def test_fixed_text_and_the_dialplans_variables_are_destinations_on_any_detour() -> None:
    change = """
variables: {desk: "100", area: "0044"}
nodes:
  done: {end: null, set: {note: "{day}", via: "{area}20", queue: night}, go: last}
  last: {transfer: {number: "{via}"}}
"""
    walk = Walk(small_flow(change), facts={"area": "0049"})
    walk.hear("tomorrow")
    assert walk.transfer.destination == "004920"


def test_several_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    text = (
        BROKEN.replace("slot: day", "slot: date")
        .replace("go: pack", "go: nowhere")
        .replace("sales: order", "sal: order")
    )
    with pytest.raises(FlowError) as caught:
        load_flow_text(text, "f")
    lines = [int(text.split(":")[1]) for text in str(caught.value).splitlines()]
    assert lines == sorted(lines)
    assert {22, 26, 27} <= set(lines)


def test_word_that_no_dictionary_can_hold_is_only_a_warning() -> None:
    flow = small_flow("intents: {help: {phrases: ['press 24x7 now']}}")
    assert len(flow.warnings) == 1
    assert "'24x7'" in flow.warnings[0]


def test_slot_and_intent_that_nothing_uses_are_warnings() -> None:
    flow = small_flow("slots: {spare: {type: yes_no}}\nintents: {spare: {phrases: [never mind]}}")
    assert ["'spare'" in warning for warning in flow.warnings] == [True, True]


def test_recordings_are_found_beside_the_flow_and_needless_ones_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    prompts = folder / "prompts" / "en"
    prompts.mkdir(parents=True)
    (folder / "flow.yaml").write_text(
        merged(SMALL, "nodes: {ask_day: {say: 'Hello there. Welcome.'}}"), encoding="utf-8"
    )
    for name in ("nodes.ask_day.ask", "nodes.ask_day.say.2", "nodes.done.say", "sayings.no_match_1"):
        (prompts / f"{name}.wav").write_bytes(b"")
    flow = load_flow(folder)
    passages = flow.edition("en").passages
    assert passages["nodes.ask_day.ask"][0].recording == str(prompts / "nodes.ask_day.ask.wav")
    assert [bool(sentence.recording) for sentence in passages["nodes.ask_day.say"]] == [False, True]
    assert passages["sayings.no_match_1"][0].recording
    assert len(flow.warnings) == 1
    assert "nodes.done.say.wav:1: no prompt plays this recording" in flow.warnings[0]
    assert "Which day?" not in [line.text for line in flow.fixed_prompts("en")]


def test_flow_is_found_in_the_first_folder_that_has_it(tmp_path: Path) -> None:
    for place in ("own", "shipped"):
        (tmp_path / place / "small").mkdir(parents=True)
        (tmp_path / place / "small" / "flow.yaml").write_text(SMALL, encoding="utf-8")
    folders = [tmp_path / "own", tmp_path / "shipped"]
    assert find_flow("small", folders) == tmp_path / "own" / "small"
    with pytest.raises(FlowError, match="did you mean 'small'"):
        find_flow("smal", folders)


def test_file_that_cannot_be_read_is_a_flow_error(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"missing\.yaml:1: the file cannot be read"):
        load_flow(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"flow: caf\xe9")
    with pytest.raises(FlowError, match="save it as UTF-8"):
        load_flow(tmp_path / "latin.yaml")
