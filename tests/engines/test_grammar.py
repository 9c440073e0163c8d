"""JSGF as the decoder wants it."""

from __future__ import annotations

import pytest

from parley.conversation.errors import EngineError
from parley.engines.grammar import Grammar

TEXT = """#JSGF V1.0 UTF-8 en;
grammar answer; // what callers say
public <answer> = [I'd like] <Day>+ {day} | /0.5/ "next week" | (No | nope)*; /* not later */
<Day> = Monday | o'clock;"""


def test_words_are_lower_case_without_rules_tags_weights_and_comments() -> None:
    assert Grammar(TEXT).words == {"i'd", "like", "next", "week", "no", "nope", "monday", "o'clock"}


def test_decoder_gets_plain_words_and_the_same_structure() -> None:
    written = " ".join(Grammar(TEXT).without(set()).split())
    assert written == (
        "#JSGF V1.0 UTF-8 en; grammar answer; public <answer> = [i'd like] <Day>+ | /0.5/ next week"
        " | (no | nope)*; <Day> = monday | o'clock;"
    )


def test_unspeakable_words_become_silent() -> None:
    grammar = Grammar("#JSGF V1.0; grammar g; public <g> = 张伟 | yes;")
    assert grammar.words == {"张伟", "yes"}
    assert "= <NULL> | yes;" in grammar.without({"张伟"})


def test_grammar_with_nothing_left_is_an_engine_error() -> None:
    grammar = Grammar("#JSGF V1.0; grammar g; public <g> = 张伟;")
    with pytest.raises(EngineError, match="none of the grammar's words"):
        grammar.without({"张伟"})
    with pytest.raises(EngineError, match="no words"):
        Grammar("#JSGF V1.0; grammar g; public <g> = <NULL>;")


def test_import_is_refused_because_it_would_read_files() -> None:
    with pytest.raises(EngineError, match="import"):
        Grammar("#JSGF V1.0; grammar g; import <etc.passwd>; public <g> = yes;")
