"""Summaries for queue agents, of whatever callers have said."""

from __future__ import annotations

from pathlib import Path

import pytest

from parley.app.whispers import Whispers
from tests.fakes.synthesizer import FakeSynthesizer


@pytest.mark.parametrize("name", ["Frı.", "mrſ.", "$" + "7" * 5000])
async def test_summary_is_spoken_whatever_the_caller_called_himself(tmp_path: Path, name: str) -> None:
    path = await Whispers(tmp_path / "whispers", FakeSynthesizer()).write("call", f"From {name}", "en", "", "flite")
    assert Path(f"{path}.wav").stat().st_size > 44
