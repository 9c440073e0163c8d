"""docs/flows.md: every YAML block works as it is written."""

import re
from pathlib import Path

import pytest

from parley.conversation.flow import shape
from parley.conversation.flow.edition import ALWAYS
from parley.conversation.flow.languages import SAYINGS
from parley.conversation.flow.loader import load_flow_text
from parley.conversation.flow.rehearsal import load_rehearsals, rehearse
from parley.conversation.flow.schema import Node
from tests.conversation.flow.building import merged

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "flows.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml *(\w*)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
WHOLE = [block for kind, block in BLOCKS if kind == ""]
FRAGMENTS = [block for kind, block in BLOCKS if kind == "fragment"]
REHEARSALS = [block for kind, block in BLOCKS if kind == "rehearsal"]


def test_the_reference_has_examples() -> None:
    assert len(WHOLE) == 1
    assert len(FRAGMENTS) >= 9
    assert len(REHEARSALS) == 1


def test_the_small_flow_loads_without_a_warning() -> None:
    assert load_flow_text(WHOLE[0]).warnings == ()


@pytest.mark.parametrize(
    "fragment", FRAGMENTS, ids=[block.split("\n", 1)[0] + str(at) for at, block in enumerate(FRAGMENTS)]
)
def test_fragment_fits_into_the_small_flow(fragment: str) -> None:
    load_flow_text(merged(WHOLE[0], fragment, levels=2))


def test_the_rehearsal_passes(tmp_path: Path) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text(REHEARSALS[0], encoding="utf-8")
    for rehearsal in load_rehearsals(file):
        assert rehearse(load_flow_text(WHOLE[0]), rehearsal) == []


def test_everything_an_author_can_write_is_in_the_reference() -> None:
    words = {*Node.model_fields, *shape.SLOT_TYPES, *SAYINGS, *ALWAYS}
    assert {word for word in words if f"`{word}" not in TEXT and f"{word}:" not in TEXT} == set()
