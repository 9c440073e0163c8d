"""A private Asterisk whose test numbers set PARLEY_* by hand, and a caller with two queue agents."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.dialplans.call_centre import TEST_DIALPLAN, TEST_QUEUES, CallCentre, open_call_centre, whisper_sounds
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.speech import require_speech


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asterisk]:
    """One Asterisk for the tests of a module."""
    program = require_asterisk()
    require_speech()
    whispers = whisper_sounds(tmp_path_factory.mktemp("whispers"))
    additions = {
        "extensions.conf": TEST_DIALPLAN.replace("@WHISPERS@", str(whispers)).replace(
            "@GOSUB_COMMAS@", "," if program.major >= 21 else ",,"
        ),
        "queues.conf": TEST_QUEUES,
    }
    async with Asterisk(program=program, additions=additions) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def centre(pbx: Asterisk) -> AsyncIterator[CallCentre]:
    """Phones for one test; afterwards every call is over and Asterisk has no channel left."""
    async with open_call_centre(pbx) as opened:
        yield opened
        await opened.hang_up()
        await pbx.wait_until_idle()
