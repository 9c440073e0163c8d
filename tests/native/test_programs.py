"""The C tests of the media core, each as one test; `make sanitize` runs the same programs under sanitizers."""

from __future__ import annotations

import pytest

from tests.native import programs


@pytest.mark.parametrize("name", programs.names())
def test_the_c_program_finds_nothing_wrong(name: str) -> None:
    done = programs.run(name, programs.PLAIN)
    assert done.returncode == 0, done.stdout
    assert "ok " in done.stdout
