"""The dialogue and a real call script together: the appointment flow, spoken and keyed."""

from datetime import date
from pathlib import Path

from parley.conversation.errors import EngineUnavailable
from parley.conversation.flow import FlowRun, load_flow
from parley.conversation.flow.step import Transfer
from parley.conversation.record import EndReason
from tests.conversation.phone_call import PhoneCall, talking
from tests.fakes.recognizer import Hears

FLOW = load_flow(Path(__file__).parents[2] / "flows" / "appointment" / "flow.yaml")
A_MONDAY = date(2026, 3, 2)


def appointment() -> FlowRun:
    return FlowRun(FLOW, "en", {"call_id": "call-1", "ani": "", "dnis": "100", "queue": "support"}, A_MONDAY)


async def says(call: PhoneCall, ms: int = 900) -> None:
    """Let the agent finish, then the caller speak."""
    await call.until_silent()
    await call.speaks(ms, pause_ms=1000)


async def test_appointment_is_booked_by_voice_and_keys_with_a_correction_spoken_over_the_agent() -> None:
    hears = ("tuesday please", "no thursday", "yes", "yes please", "i would like to speak to a person")
    async with talking(script=appointment(), hears=hears) as call:
        await says(call)
        await call.passes(200)
        assert not call.silent, "the day is being read back"
        await call.speaks(900, pause_ms=700)
        assert call.audio.cleared_at, "the correction stopped it"
        await says(call)
        await call.until_silent()
        for key in "123456":
            call.session.press(key)
            await call.passes(200)
        await says(call)
        await says(call)
        end = await call.until_over()
        assert end.then == Transfer("support", summary=end.result.summary)
        assert (end.reason, end.result.outcome) == (EndReason.TRANSFERRED, "booked")
        assert end.result.slots["day"] == "2026-03-05"
        assert end.result.slots["member"] == "123456"
        interrupted = next(turn for turn in call.log.turns if turn.interrupted_agent)
        read_back = call.log.turns[interrupted.number - 1]
        assert len(read_back.agent_heard) < len(read_back.agent_text)


async def test_caller_who_says_nothing_at_all_is_never_left_in_silence() -> None:
    async with talking(script=appointment()) as call:
        end = await call.until_over(limit_ms=120_000)
        assert end.reason is EndReason.NOT_UNDERSTOOD
        assert isinstance(end.then, Transfer)
        pauses = [
            later.position - piece.end for piece, later in zip(call.audio.played, call.audio.played[1:], strict=False)
        ]
        assert max(pauses) <= 8_000 * 8


async def test_dead_recogniser_leaves_the_keys() -> None:
    async with talking(script=appointment(), hears=(Hears(error=EngineUnavailable("gone")),)) as call:
        await says(call)
        await call.until_silent()
        for key in "0305":
            call.session.press(key)
            await call.passes(100)
        await call.until_silent()
        call.session.press("1")
        await call.passes(100)
        assert call.session.exchanges[-1].caller == "0305"
        await call.hang_up()
        assert call.session.exchanges[-1].caller == "1"
        assert "Thursday" in call.session.exchanges[2].agent
