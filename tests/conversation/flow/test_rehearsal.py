"""Authors' own tests: the shipped ones pass, and a wrong one says what went otherwise."""

from pathlib import Path

import pytest

from parley.conversation.errors import FlowError
from parley.conversation.flow.loader import load_flow
from parley.conversation.flow.rehearsal import Rehearsal, describe, load_rehearsals, rehearse
from tests.conversation.flow.building import Walk, small_flow

FLOWS = Path(__file__).resolve().parents[3] / "flows"
SHIPPED = [(folder, rehearsal) for folder in sorted(FLOWS.iterdir()) for rehearsal in load_rehearsals(folder)]


@pytest.mark.parametrize(("folder", "rehearsal"), SHIPPED, ids=[f"{f.name}: {r.name}" for f, r in SHIPPED])
def test_shipped_flow_passes_its_rehearsal(folder: Path, rehearsal: Rehearsal) -> None:
    flow = load_flow(folder)
    assert flow.warnings == ()
    assert rehearse(flow, rehearsal) == []


def test_appointment_is_rehearsed_in_both_languages() -> None:
    assert {rehearsal.language or "en" for folder, rehearsal in SHIPPED if folder.name == "appointment"} == {"en", "zh"}


def rehearsed(turns: list[dict[str, object]], result: dict[str, object] | None = None) -> list[str]:
    fields = {"name": "x", "today": "2026-03-02", "turns": turns, "result": result or {}}
    return rehearse(small_flow(), Rehearsal.model_validate(fields))


def test_differences_are_told() -> None:
    assert rehearsed([{"agent": "Which week"}]) == ["turn 1: the agent did not say 'Which week', but 'Which day?'"]
    assert rehearsed([{"node": "done"}]) == ["turn 1: expected to listen at done, but (listens at ask_day for day)"]
    over: list[dict[str, object]] = [{}, {"caller": "Thursday", "transfer": "x", "end": "dialplan"}, {"silence": True}]
    assert rehearsed(over, {"outcome": "y"}) == [
        "turn 2: expected a transfer to x, but (hangs up)",
        "turn 2: expected the end (dialplan), but (hangs up)",
        "turn 3: the call is over already ((hangs up))",
    ]
    wrong = {"outcome": "y", "summary": "z", "gave_up": True, "slots": {"day": "2026-03-06"}}
    assert rehearsed([{}, {"caller": "Thursday", "end": "hangup"}], wrong) == [
        "result: outcome is 'booked', not 'y'",
        "result: gave_up is 'False', not 'True'",
        "result: the summary is ''",
        "result: day is '2026-03-05', not '2026-03-06'",
    ]


def test_malformed_rehearsal_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text("- name: x\n  today: 2026-03-02\n  turns:\n    - node: a\n    - calller: hello\n", encoding="utf-8")
    with pytest.raises(FlowError, match=r"tests\.yaml:5: 'calller'"):
        load_rehearsals(file)


def test_step_is_described_for_people() -> None:
    walk = Walk(small_flow())
    assert describe(walk.step) == ["agent: Which day?", "(listens at ask_day for day)"]
