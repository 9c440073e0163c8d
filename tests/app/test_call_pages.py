import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC

import pytest
from rich.console import Console

from parley.app.call_pages import masked, print_call, print_calls
from parley.conversation.record import CallEnd, CallNote, CallStart, EndReason, Turn, TurnMoments, TurnTimings
from parley.store import CallOverview, CallRecord

START = CallStart(
    call_id="1763791200.12",
    leg_id="1763791200.12",
    agent="reception",
    flow="appointment",
    language="en",
    direction="inbound",
    ani="+15551234567",
    dnis="100",
    started_at=1763791200.0,
)
END = CallEnd(
    ended_at=1763791265.4,
    reason=EndReason.TRANSFERRED,
    outcome="booked",
    intent="book",
    summary="Wants Tuesday.",
    transferred_to="reception-queue",
    hangup_cause=16,
    slots={"day": "tuesday", "name": "张伟"},
    recording="recordings/2025/11/22/1763791200.12.wav",
)
GREETING = Turn(
    number=0,
    node="greet",
    at_ms=140,
    agent_text="Welcome. Which day suits you?",
    agent_heard="Welcome.",
    timings=TurnTimings(tts_ms=80, playout_ms=20, response_ms=100),
)
ANSWER = Turn(
    number=1,
    node="ask_day",
    at_ms=2310,
    caller_text="on tuesday",
    confidence=0.875,
    interrupted_agent=True,
    agent_text="Tuesday it is.",
    agent_heard="Tuesday it is.",
    timings=TurnTimings(endpoint_ms=401, asr_ms=82, tts_ms=13, playout_ms=24, response_ms=520, barge_in_ms=185),
    moments=TurnMoments(
        last_speech_at_ms=3120,
        endpoint_at_ms=3521,
        final_at_ms=3603,
        speech_ready_at_ms=3616,
        first_sound_at_ms=3640,
    ),
)
NOTE = CallNote(kind="engine_failed", at_ms=61004, details={"port": "recognizer", "code": "engine_timeout"})
RECORD = CallRecord(START, answered_ms=95, end=END, turns=(GREETING, ANSWER), notes=(NOTE,))
HOSTILE = "[red]x[/red] :bomb: \x1b[2J\r\n\x07\u202e\x9b31m"


def printed(print_on: Callable[[Console], None], *, terminal: bool = False) -> str:
    out = io.StringIO()
    print_on(Console(file=out, width=140, force_terminal=terminal, color_system="truecolor" if terminal else None))
    return out.getvalue()


def shown(record: CallRecord, *, numbers: bool = False) -> str:
    return printed(lambda console: print_call(console, record, numbers=numbers, zone=UTC))


def listed(*calls: CallOverview, numbers: bool = False) -> str:
    return printed(lambda console: print_calls(console, calls, numbers=numbers, zone=UTC))


def test_list_shows_one_row_per_call_with_the_caller_masked() -> None:
    page = listed(CallOverview(START, 95, END, turn_count=7))
    header, row = page.splitlines()
    assert header.split() == ["Started", "Call", "Agent", "Caller", "Duration", "Outcome", "Reason", "Turns"]
    assert row.split() == [
        *("11-22", "06:00", "1763791200.12", "reception", "•••67", "1:05"),
        *("booked", "transferred", "7"),
    ]


def test_list_shows_numbers_when_asked_for() -> None:
    assert "+15551234567" in listed(CallOverview(START, 95, END, turn_count=7), numbers=True)


def test_list_shows_a_call_that_goes_on_and_one_without_number() -> None:
    page = listed(CallOverview(replace(START, ani=""), None, None, turn_count=0))
    assert "going on" in page
    assert "withheld" in page


OWN_ID = "20261122-063015-9f3a2c41"
UUID = "0d5a2b1e-3c55-4cd0-9d7f-0d3b9d5f0a11"
LONG_AGENT = "reception-of-the-northern-branch"


def narrow(*calls: CallOverview, width: int, terminal: bool) -> list[str]:
    """Return the lines of the list."""
    out = io.StringIO()
    print_calls(Console(file=out, width=width, force_terminal=terminal, color_system=None), calls, zone=UTC)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 40])
@pytest.mark.parametrize("call_id", [OWN_ID, UUID])
def test_list_on_a_narrow_terminal_keeps_the_id_in_one_piece(call_id: str, width: int) -> None:
    call = CallOverview(replace(START, call_id=call_id, agent=LONG_AGENT), 95, END, 7)
    lines = narrow(call, width=width, terminal=True)
    assert sum(call_id in line for line in lines) == 1
    if call_id == OWN_ID and width == 80:
        assert max(map(len, lines)) <= width


def test_list_that_is_piped_has_one_line_per_call_with_everything_in_one_piece() -> None:
    call = CallOverview(replace(START, call_id=UUID, agent=LONG_AGENT), 95, END, 7)
    _, *rows = narrow(call, call, width=40, terminal=False)
    assert len(rows) == 2
    assert all(UUID in row and LONG_AGENT in row and row.endswith("7") for row in rows)


def test_list_of_asterisk_calls_has_one_line_per_call_on_80_columns() -> None:
    assert len(narrow(*[CallOverview(START, 95, END, 7)] * 3, width=80, terminal=True)) == 4


def test_empty_list_says_so() -> None:
    assert "No calls" in listed()


@pytest.mark.parametrize(
    ("number", "shown_as"), [("+15551234567", "•••67"), ("100", "•••00"), ("10", "•••"), ("7", "•••")]
)
def test_masking_leaves_the_last_two_characters_of_longer_numbers(number: str, shown_as: str) -> None:
    assert masked(number) == shown_as


def test_page_of_a_call_begins_with_what_is_known_of_it() -> None:
    page = shown(RECORD)
    fields = dict(line.split("  ", 1) for line in page[: page.index("\n\n")].splitlines())
    assert {label: value.strip() for label, value in fields.items()} == {
        "Call": "1763791200.12",
        "Agent": "reception (flow appointment, en)",
        "Caller": "•••67",
        "Called": "100",
        "Direction": "inbound",
        "Started": "2025-11-22 06:00:00",
        "Answered": "after 95 ms",
        "Duration": "1:05",
        "Ended": "transferred",
        "Outcome": "booked",
        "Intent": "book",
        "Transferred to": "reception-queue",
        "Hangup cause": "16",
        "Summary": "Wants Tuesday.",
        "Slot day": "tuesday",
        "Slot name": "张伟",
        "Recording": "recordings/2025/11/22/1763791200.12.wav",
    }


def test_dialogue_shows_times_words_confidence_and_what_was_not_heard() -> None:
    lines = [line.rstrip() for line in shown(RECORD).splitlines()]
    greeting = lines.index("+0.140 s  turn 0  greet")
    assert lines[greeting + 1] == "  agent  Welcome. [not heard: Which day suits you?]"
    answer = lines.index("+2.310 s  turn 1  ask_day")
    assert lines[answer + 1] == "  caller  on tuesday  (confidence 0.88)  interrupted the agent"
    assert lines[answer + 2] == "  agent   Tuesday it is."


def test_words_heard_that_are_no_beginning_of_the_reply_stand_beside_it() -> None:
    page = shown(replace(RECORD, turns=(replace(ANSWER, agent_text="Room 5 it is.", agent_heard="Room five"),)))
    assert "Room 5 it is." in page
    assert "heard: Room five" in page


def test_reply_that_was_not_heard_at_all_is_marked_whole() -> None:
    page = shown(replace(RECORD, turns=(replace(ANSWER, agent_heard=""),)))
    assert "[not heard: Tuesday it is.]" in page


def test_keys_and_rejected_speech_are_shown() -> None:
    keyed = replace(ANSWER, caller_keys="12#", caller_text="", confidence=0.0)
    noise = replace(ANSWER, number=2, caller_text="", rejected=True)
    page = shown(replace(RECORD, turns=(keyed, noise)))
    assert "keys 12#" in page
    assert "(not understood)" in page


def test_timings_are_a_table_with_a_dash_for_stages_that_did_not_occur() -> None:
    lines = [line.split() for line in shown(RECORD).splitlines()]
    heading = lines.index(["turn", "endpoint", "asr", "llm", "tts", "playout", "response", "barge-in"])
    assert lines[heading + 1] == ["0", "–", "–", "–", "80", "20", "100", "–"]
    assert lines[heading + 2] == ["1", "401", "82", "–", "13", "24", "520", "185"]


def test_timings_and_notes_are_left_out_where_there_are_none() -> None:
    page = shown(replace(RECORD, turns=(Turn(number=0, node="greet", at_ms=0, agent_text="Hi"),), notes=()))
    assert "Timings" not in page
    assert "Notes" not in page


def test_notes_are_shown_with_their_details() -> None:
    assert "+61.004 s  engine_failed  port=recognizer code=engine_timeout" in shown(RECORD)


ANSWERED = CallNote("agent_answered", 80_000, {"queue": "support", "agent": "Anna", "waited_s": "12"})
TALKED = CallNote("queue_left", 180_000, {"queue": "support", "exit": "answered", "waited_s": "12", "talked_s": "95"})
GAVE_UP = CallNote("queue_left", 120_000, {"queue": "support", "exit": "abandoned", "waited_s": "40"})
UNSERVED = CallNote("queue_left", 110_000, {"queue": "support", "exit": "unserved", "waited_s": "30"})


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        ((ANSWERED, TALKED), ["Anna took the call in support after 12 s", "they talked for 95 s"]),
        ((GAVE_UP,), ["the caller gave up waiting in support after 40 s"]),
        ((UNSERVED,), ["left support after 30 s: nobody took the call"]),
        ((NOTE,), []),
    ],
)
def test_page_tells_what_became_of_the_caller_in_the_queue(notes: tuple[CallNote, ...], told: list[str]) -> None:
    lines = shown(replace(RECORD, notes=notes)).splitlines()
    assert [line.removeprefix("Queue").strip() for line in lines if line.startswith("Queue")] == told


def test_call_that_goes_on_has_no_end_yet() -> None:
    page = shown(replace(RECORD, end=None, answered_ms=None))
    assert "going on" in page
    assert "Outcome" not in page
    assert "Answered   no" in page


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_that_a_caller_sent_is_taken_for_markup_or_a_terminal_sequence(terminal: bool) -> None:
    start = replace(START, ani=HOSTILE, dnis=HOSTILE, call_id=HOSTILE, leg_id=HOSTILE + "b", agent=HOSTILE)
    end = replace(
        END, outcome=HOSTILE, intent=HOSTILE, summary=HOSTILE, transferred_to=HOSTILE, slots={HOSTILE: HOSTILE}
    )
    turn = replace(ANSWER, caller_text=HOSTILE, caller_keys=HOSTILE, agent_text=HOSTILE, agent_heard="", node=HOSTILE)
    record = CallRecord(start, 95, end, (turn,), (CallNote(HOSTILE, 0, {HOSTILE: HOSTILE}),))

    page = printed(lambda console: print_call(console, record, numbers=True, zone=UTC), terminal=terminal)
    page += printed(
        lambda console: print_calls(console, [CallOverview(start, 95, end, 1)], numbers=True, zone=UTC),
        terminal=terminal,
    )

    assert "\x1b[2J" not in page
    assert not set("\r\x07\u202e\x9b") & set(page)
    assert page.count("[red]x[/red] :bomb: ") >= 17
    if not terminal:
        assert "\x1b" not in page


def test_page_shows_when_each_stage_was_reached() -> None:
    lines = shown(RECORD).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Reached"))
    assert lines[start + 1].split() == [
        *("turn", "last-speech", "endpoint", "final", "first-token", "speech-ready", "first-sound")
    ]
    assert lines[start + 3].split() == ["1", "3120", "3521", "3603", "–", "3616", "3640"]
