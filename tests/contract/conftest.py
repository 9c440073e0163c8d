"""One Asterisk for all contract tests of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.contract.asterisk_bench import contract_asterisk
from tests.support.asterisk import Asterisk, require_asterisk


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def asterisk() -> AsyncIterator[Asterisk]:
    """Start a private Asterisk, or skip saying why there is none."""
    require_asterisk()
    async with contract_asterisk() as pbx:
        yield pbx
