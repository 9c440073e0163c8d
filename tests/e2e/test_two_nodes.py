"""Two nodes on purpose: one Asterisk, one data folder, names and ports of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.ear import Ear
from parley.conversation.record import EndReason
from tests.dialplans.call_centre import open_call_centre
from tests.e2e.site import DIALPLAN, NUMBER_LINE, SETTINGS, agent_heard, serving
from tests.e2e.test_calls import press_after_prompts
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.speech import require_speech

pytestmark = pytest.mark.e2e


def settings_of(application: str, data: Path) -> str:
    """Return the settings of a node that takes one call at a time."""
    named = SETTINGS.replace("[asterisk]\n", f'[asterisk]\napplication = "{application}"\n')
    return named.replace('data_dir = "data"', f'data_dir = "{data}"') + "[limits]\nmax_calls = 1\n"


async def test_second_node_takes_the_call_for_which_the_first_is_full_and_survives_its_death(tmp_path: Path) -> None:
    require_speech()
    data = tmp_path / "first" / "data"
    async with (
        Asterisk(program=require_asterisk(), additions={"extensions.conf": DIALPLAN}) as pbx,
        open_call_centre(pbx) as centre,
        serving(pbx, tmp_path / "first", settings_of("parley", data)) as first,
        serving(pbx, tmp_path / "second", settings_of("parley-b", data)) as second,
    ):
        full = await centre.caller.call(NUMBER_LINE)
        await Ear(full).speech_begins(full.answered_at or 0.0)
        passed_on = await centre.caller.call(NUMBER_LINE)
        await Ear(passed_on).speech_begins(passed_on.answered_at or 0.0)
        await first.process.kill()
        await first.process.start(settings_of("parley", data))
        await first.logged("call taken up again")
        for call, node in ((passed_on, second), (full, first)):
            await press_after_prompts(call, "471508")
            await call.wait_ended(15.0)
            await node.logged("call ended")
            assert agent_heard(call, "You said 4 7 1 5 0 8.").clearly
        records = await first.records()
        assert [record.start.node for record in records] == ["parley", "parley-b"]
        assert [record.end.reason for record in records if record.end] == [EndReason.COMPLETED] * 2
        await centre.hang_up()
        await pbx.wait_until_idle()
