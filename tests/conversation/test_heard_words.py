"""History holds the words that the phone got, whatever the caller does: none more, none less.

Each word has audio of its own, so that what was played tells which words were heard.
"""

import asyncio
import struct
from collections.abc import AsyncGenerator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parley.conversation.flow.step import AnswerKind, Line, Listen, Step
from parley.conversation.ports import SpeechChunk, SpeechRequest, WordTime
from tests.conversation.phone_call import PhoneCall, talking
from tests.fakes.call_audio import Played
from tests.fakes.recognizer import Hears

LENGTHS = (1200, 2000, 900, 2600, 1600)
"""Samples of words, in turn."""
STEPS = 6
WORDS_OF_A_SENTENCE = 6
HEARS = st.sampled_from([Hears("sales"), Hears("uh-huh"), Hears("yeah"), Hears(rejected=True), Hears()])
DEEDS = st.lists(st.tuples(st.sampled_from(["speak", "wait", "hold"]), st.integers(1, 70)), min_size=1, max_size=8)


def sentence(first: int) -> str:
    return " ".join(f"W{number}" for number in range(first, first + WORDS_OF_A_SENTENCE)) + "."


def steps(interruptible: bool = True) -> list[Step]:
    """Return steps of two sentences each; no word comes twice."""
    made = []
    for number in range(STEPS):
        first = number * 2 * WORDS_OF_A_SENTENCE
        lines = (
            Line(sentence(first), interruptible=interruptible, as_written=True),
            Line(sentence(first + WORDS_OF_A_SENTENCE), as_written=True),
        )
        made.append(Step(lines, Listen(f"ask_{number}", AnswerKind.CHOICE)))
    return made


class Announcer:
    """A synthesiser in whose audio every sample names its word; a chunk is 60 ms, wherever words end."""

    def __init__(self, *, align: bool) -> None:
        self._align = align

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk]:
        samples: list[int] = []
        times: list[WordTime] = []
        for word in request.text.rstrip(".").split():
            number = int(word[1:])
            begin = len(samples)
            samples += [number + 1] * LENGTHS[number % len(LENGTHS)]
            times.append(WordTime(word, begin, len(samples)))
        for at in range(0, len(samples), 480):
            begun = [time for time in times if at <= time.start_samples < at + 480] if self._align else []
            yield SpeechChunk(struct.pack(f"<{len(samples[at : at + 480])}h", *samples[at : at + 480]), begun)


def words_in(played: list[Played]) -> set[str]:
    """Return the words that went out from their first sample to their last without a break."""
    whole: set[str] = set()
    for piece in played:
        values = struct.unpack(f"<{len(piece.pcm) // 2}h", piece.pcm)
        run = 0
        for before, value in zip((0, *values), values, strict=False):
            run = run + 1 if value == before else 1
            if value and run >= LENGTHS[(value - 1) % len(LENGTHS)]:
                whole.add(f"W{value - 1}")
    return whole


async def hold_a_call(deeds: list[tuple[str, int]], hears: list[Hears], *, align: bool) -> tuple[set[str], set[str]]:
    """Return the words in the history, and those that the phone got."""
    async with talking(*steps(), hears=tuple(hears), synthesizer=Announcer(align=align)) as call:
        for deed, amount in deeds:
            await act(call, deed, amount)
        await call.hang_up()
        written = {word.rstrip(".") for turn in call.log.turns for word in turn.agent_heard.split()}
        return written, words_in(call.audio.played)


async def act(call: PhoneCall, deed: str, amount: int) -> None:
    if deed == "speak":
        await call.speaks(amount * 20, pause_ms=600)
    elif deed == "hold":
        await call.holds()
        await call.passes(amount * 20)
        await call.retrieves()
    else:
        await call.passes(amount * 20)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DEEDS, st.lists(HEARS, max_size=6))
def test_no_unheard_word_remains_and_no_heard_one_is_lost(deeds: list[tuple[str, int]], hears: list[Hears]) -> None:
    written, heard = asyncio.run(hold_a_call(deeds, hears, align=True))
    assert written == heard


@pytest.mark.parametrize("at", range(1, 120, 7))
async def test_without_word_times_a_sentence_that_was_cut_is_one_word_off_at_most(at: int) -> None:
    """The one that the caller interrupted, and the reply during which he hung up."""
    written, heard = await hold_a_call([("wait", at), ("speak", 20)], [Hears("sales")], align=False)
    for first in range(0, STEPS * 2 * WORDS_OF_A_SENTENCE, WORDS_OF_A_SENTENCE):
        words = {f"W{number}" for number in range(first, first + WORDS_OF_A_SENTENCE)}
        assert len((written ^ heard) & words) <= 1
