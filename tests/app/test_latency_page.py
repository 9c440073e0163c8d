import io

from rich.console import Console

from parley.app.latency_page import print_latency
from parley.conversation.record import TurnTimings
from parley.store import TurnLatency


def page(*turns: TurnLatency, objective_ms: int = 0) -> str:
    out = io.StringIO()
    print_latency(Console(file=out, width=100), turns, objective_ms)
    return out.getvalue()


def rows(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:7] for line in text.splitlines() if line.strip()}


def answers(count: int) -> list[TurnLatency]:
    """Return turns with endpoint times of 1, 2, … ms and 100 ms of recognition."""
    return [TurnLatency(n, TurnTimings(endpoint_ms=n, asr_ms=100, response_ms=n + 100)) for n in range(1, count + 1)]


def test_each_stage_has_its_percentiles_and_the_number_of_turns_that_had_it() -> None:
    shown = rows(page(*answers(100), TurnLatency(0, TurnTimings(response_ms=60))))
    assert shown["Stage"] == ["Turns", "p50", "p90", "p95", "p99", "Most"]
    assert shown["endpoint"] == ["100", "50", "90", "95", "99", "100"]
    assert shown["asr"] == ["100", *["100"] * 5]
    assert shown["response"] == ["100", "150", "190", "195", "199", "200"]
    assert shown["greeting"] == ["1", *["60"] * 5]


def test_stage_that_no_turn_had_shows_no_figures() -> None:
    assert rows(page(*answers(3)))["llm"] == ["0", *["–"] * 5]


def test_objective_is_met_or_missed() -> None:
    assert "195 ms: met" in page(*answers(100), objective_ms=195)
    assert "194 ms: missed" in page(*answers(100), objective_ms=194)
    assert "Objective" not in page(*answers(100))


def test_time_without_turns_says_so() -> None:
    assert "No turns" in page()
