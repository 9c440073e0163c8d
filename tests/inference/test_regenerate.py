"""The committed stubs are what the oldest supported tools make of inference.proto."""

from __future__ import annotations

from pathlib import Path

import pytest

from parley.inference.regenerate import STUBS, regenerate

ROOT = Path(__file__).parents[2]


def test_committed_stubs_are_what_the_proto_makes(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="needs grpcio-tools")
    regenerate(ROOT, tmp_path)
    for stub in STUBS:
        made, committed = (base / "parley/inference" / stub for base in (tmp_path, ROOT))
        assert made.read_text() == committed.read_text(), f"run python -m parley.inference.regenerate ({stub})"
