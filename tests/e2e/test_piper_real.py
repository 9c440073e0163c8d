"""A whole call whose agent speaks with piper; the voice is one made for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

pytest.importorskip("piper", reason="piper-tts is not installed: make test-models ENGINE=piper")
pytest.importorskip("onnx", reason="onnx is not installed: make test-models ENGINE=piper")

from demo.ear import Ear
from parley.conversation.ports import SpeechRequest
from parley.conversation.record import EndReason
from parley.engines.piper_synthesizer import PiperSynthesizer
from tests.contract.synthesizer_contract import chunks_of
from tests.dialplans.call_centre import open_call_centre
from tests.e2e.site import DIALPLAN, NUMBER_LINE, NUMBER_WORDS, QUESTION, READ_BACK, SETTINGS, Node, serving
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.hearing import heard
from tests.support.recording import RATE_HZ
from tests.support.speech import caller_says, require_speech
from tests.support.toy_voice import write_toy_voice

pytestmark = [pytest.mark.models, pytest.mark.asyncio(loop_scope="module")]

PIPER = """
[engines.piper]
folder = "@VOICES@"
"""


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toy voice."""
    folder = tmp_path_factory.mktemp("voices")
    write_toy_voice(folder)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    require_speech()
    async with Asterisk(program=require_asterisk(), additions={"extensions.conf": DIALPLAN}) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(pbx: Asterisk, voices: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    """One Parley whose agent `number` speaks with piper."""
    settings = SETTINGS.replace('voices = {{ en = "slt" }}', 'synthesizer = "piper"')
    assert "piper" in settings
    settings += PIPER.replace("@VOICES@", str(voices))
    async with serving(pbx, tmp_path_factory.mktemp("parley"), settings) as running:
        yield running


async def test_caller_hears_pipers_voice_answers_it_and_is_read_back(pbx: Asterisk, node: Node, voices: Path) -> None:
    async with open_call_centre(pbx) as centre:
        caller = await centre.caller.call(NUMBER_LINE)
        await Ear(caller).speech_ends(caller.answered_at or 0.0, quiet_s=0.5)
        await caller.say(caller_says(NUMBER_WORDS))
        await caller.wait_ended(25.0)
        [record] = await node.ended_records()
    piper = PiperSynthesizer(voices)
    for words in (QUESTION, READ_BACK):
        [spoken] = await chunks_of(piper, SpeechRequest(words, "en", "", RATE_HZ))
        assert heard(caller.heard.samples(), spoken.pcm).clearly, words
    assert record.end is not None
    assert record.end.reason is EndReason.COMPLETED
    assert all(turn.agent_heard == turn.agent_text for turn in record.turns)
    assert node.complaints() == []
