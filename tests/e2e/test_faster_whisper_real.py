"""A whole call on the real Asterisk that faster-whisper listens to, with a model that hears one sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from demo.ear import Ear
from parley.conversation.record import EndReason
from tests.dialplans.call_centre import CallCentre, open_call_centre
from tests.e2e.site import DIALPLAN, NUMBER_LINE, NUMBER_WORDS, READ_BACK, SETTINGS, Node, agent_heard, serving
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.canned_whisper import Canned
from tests.support.engines import canned_whisper, require_engine
from tests.support.speech import caller_says, require_speech

require_engine("faster_whisper", "faster-whisper")

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.asyncio(loop_scope="module")]

OTHER_WORDS = "I would rather talk about the weather in the mountains"
"""What the caller really says: only a canned model takes it for a number."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    """One Asterisk for the tests of this module."""
    require_speech()
    async with Asterisk(program=require_asterisk(), additions={"extensions.conf": DIALPLAN}) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(pbx: Asterisk, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    """One Parley whose agent listens with faster-whisper."""
    model = canned_whisper("number", Canned(NUMBER_WORDS))
    settings = f'{SETTINGS}recognizer = "faster-whisper"\n[engines.faster_whisper]\nmodel = "{model}"\n'
    async with serving(pbx, tmp_path_factory.mktemp("parley"), settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def centre(pbx: Asterisk, node: Node) -> AsyncIterator[CallCentre]:
    """A caller and two queue agents; afterwards every call is over."""
    async with open_call_centre(pbx) as opened:
        yield opened
        await opened.hang_up()
        await pbx.wait_until_idle()
        assert node.complaints() == []


async def test_caller_is_understood_by_faster_whisper(centre: CallCentre, node: Node) -> None:
    caller = await centre.caller.call(NUMBER_LINE)
    await Ear(caller).speech_ends(caller.answered_at or 0.0)
    await caller.say(caller_says(OTHER_WORDS))
    await caller.wait_ended(20.0)
    record = (await node.ended_records())[-1]
    assert agent_heard(caller, READ_BACK).clearly
    assert record.end is not None
    assert (record.end.reason, record.end.slots) == (EndReason.COMPLETED, {"number": "471508"})
    answer = record.turns[1]
    assert (answer.caller_text, answer.rejected) == (NUMBER_WORDS, False)
    assert answer.confidence > 0.9
