"""A noise over the agent, then a voice: what stops the agent with the neural voice detector, and what without."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from demo.ear import Ear
from parley.store import CallRecord
from tests.dialplans.call_centre import open_call_centre
from tests.e2e.site import DIALPLAN, MAIN_NUMBER, RECEPTION, SETTINGS, Node, serving
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.recording import RATE_HZ
from tests.support.speech import caller_says, require_speech
from tools import voice_model

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

BEFORE_S = 0.6
"""Of the greeting, before the noise; as much again lies between noise and voice."""
NOISE_S = 0.9
"""Longer than what the agent passes over as a cough (`BargeInSettings.backchannel_ms`)."""
YIELD_MS = 300
"""The caller's first sample to the agent's silence, on a machine with other work."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Asterisk]:
    """One Asterisk, set up as the repository has it."""
    require_speech()
    async with Asterisk(program=require_asterisk(), additions={"extensions.conf": DIALPLAN}) as running:
        yield running


def hiss() -> bytes:
    """Return noise as loud as a voice."""
    noise = np.random.default_rng(1).normal(0, 3000, round(NOISE_S * RATE_HZ))
    return np.clip(noise, -32768, 32767).astype("<i2").tobytes()


async def noise_and_voice(node: Node, pbx: Asterisk) -> CallRecord:
    """Let a caller's line hiss over the greeting, and the caller speak after it; return the record."""
    async with open_call_centre(pbx) as centre:
        caller = await centre.caller.call(MAIN_NUMBER)
        began_s = await Ear(caller).speech_begins(caller.answered_at or 0.0)
        await asyncio.sleep(began_s + BEFORE_S - time.monotonic())
        await caller.say(hiss())
        await asyncio.sleep(BEFORE_S)
        await caller.say(caller_says("on monday please"))
        await asyncio.sleep(2.0)
        await caller.hangup()
        [record] = await node.ended_records()
    return record


@pytest.mark.skipif(voice_model.path() is None, reason="the model of silero was not fetched")
async def test_voice_stops_the_agent_and_noise_does_not(pbx: Asterisk, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra vad is not installed")
    (tmp_path / "data" / "models").mkdir(parents=True)
    shutil.copy(str(voice_model.path()), tmp_path / "data" / "models")
    async with serving(pbx, tmp_path, SETTINGS + RECEPTION + '[vad]\nengine = "silero"\n') as node:
        record = await noise_and_voice(node, pbx)
        assert node.complaints() == []
    answer = record.turns[1]
    assert (answer.interrupted_agent, answer.caller_text) == (True, "on monday please")
    assert answer.timings.barge_in_ms is not None
    assert answer.timings.barge_in_ms <= YIELD_MS
    print(f"the agent fell silent {answer.timings.barge_in_ms} ms after the voice began")


async def test_without_it_the_same_noise_stops_the_agent(pbx: Asterisk, tmp_path: Path) -> None:
    async with serving(pbx, tmp_path, SETTINGS + RECEPTION) as node:
        record = await noise_and_voice(node, pbx)
    answer = record.turns[1]
    assert (answer.interrupted_agent, answer.rejected, answer.caller_text) == (True, True, "")
