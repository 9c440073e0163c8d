"""Whatever a caller does, the agent stays sane."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parley.conversation.flow.step import AnswerKind, KeyPlan, Line, Listen, Step
from tests.conversation.phone_call import PhoneCall, talking
from tests.fakes.recognizer import Hears

STEP = Step(
    (Line("Please note. Calls are recorded.", interruptible=False), Line("Which day suits you best? Any will do.")),
    Listen("day", AnswerKind.DAY, keys=KeyPlan(max_digits=2), no_input_ms=2000),
)
WORDS = "Please note. Calls are recorded. Which day suits you best? Any will do."

HEARS = st.sampled_from([Hears("tuesday"), Hears(rejected=True), Hears(), Hears("late", delay_ms=700)])
DEEDS = st.one_of(
    st.tuples(st.just("speak"), st.integers(2, 70)),
    st.tuples(st.just("wait"), st.integers(1, 120)),
    st.tuples(st.just("press"), st.integers(0, 9)),
)


async def act(call: PhoneCall, deed: str, amount: int) -> None:
    if deed == "press":
        call.session.press(str(amount))
        await call.passes(20)
    elif deed == "speak":
        await call.speaks(amount * 20)
    else:
        await call.passes(amount * 20)


async def live(deeds: list[tuple[str, int]], hears: list[Hears]) -> None:
    async with talking(STEP, hears=tuple(hears)) as call:
        for deed, amount in deeds:
            await act(call, deed, amount)
        assert not call.over
        await call.hang_up()
        turns = call.log.turns
        assert [turn.number for turn in turns] == list(range(len(call.told) + 1))
        assert all(WORDS.startswith(turn.agent_heard) for turn in turns)
        for turn in turns[:-1]:
            assert turn.agent_heard.startswith("Please note. Calls are recorded."), "the notice is heard every time"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(DEEDS, max_size=12), st.lists(HEARS, max_size=8))
def test_any_caller_hears_the_notice_and_leaves_a_truthful_record(
    deeds: list[tuple[str, int]], hears: list[Hears]
) -> None:
    asyncio.run(live(deeds, hears))
