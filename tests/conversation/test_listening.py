"""The caller's audio on its way to the recogniser, in virtual time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from parley.conversation.errors import EngineError, EngineTimeout, EngineUnavailable
from parley.conversation.happenings import BlockHeard, Happening, Inbox, Recognised, RecognitionFailed
from parley.conversation.listening import MAX_UTTERANCE_BLOCKS, Listening, UtteranceAudio
from parley.conversation.ports import Hypothesis, RecognitionRequest, Recognizer
from tests.fakes.call_audio import FakeCallAudio, settle
from tests.fakes.recognizer import FakeRecognizer, Hears

REQUEST = RecognitionRequest(language="en", rate_hz=8000)


@dataclass
class Ear:
    """Listening, and what it posts."""

    audio: FakeCallAudio
    listening: Listening
    inbox: Inbox

    async def posted(self) -> list[Happening]:
        """Return what was posted so far, blocks left out."""
        await settle()
        happenings: list[Happening] = []
        self.inbox.post(BlockHeard(-1))
        while (happening := await self.inbox.next()) != BlockHeard(-1):
            if not isinstance(happening, BlockHeard):
                happenings.append(happening)
        return happenings


class MuteRecognizer:
    """Takes everything and never yields."""

    async def recognize(self, request: RecognitionRequest, audio: AsyncIterator[bytes]) -> AsyncIterator[Hypothesis]:
        """End without a final."""
        async for _ in audio:
            pass
        nothing: list[Hypothesis] = []
        for hypothesis in nothing:
            yield hypothesis


class DeafRecognizer:
    """Takes no audio."""

    async def recognize(self, request: RecognitionRequest, audio: AsyncIterator[bytes]) -> AsyncIterator[Hypothesis]:
        """Wait for ever."""
        await asyncio.Event().wait()
        yield Hypothesis("", final=True)


@asynccontextmanager
async def ear(recognizer: Recognizer) -> AsyncGenerator[Ear]:
    audio, inbox = FakeCallAudio(), Inbox()
    async with asyncio.TaskGroup() as tasks:
        listening = Listening(audio, recognizer, inbox, tasks, pre_roll_ms=300)
        tasks.create_task(listening.run())
        yield Ear(audio, listening, inbox)
        await audio.aclose()


def ramp(samples: int) -> bytes:
    """Make audio in which every sample tells its place."""
    return b"".join((index % 30_000 + 1).to_bytes(2, "little") for index in range(samples))


async def test_utterance_gets_the_pre_roll_and_every_sample_after_it_once() -> None:
    recognizer = FakeRecognizer("yes")
    async with ear(recognizer) as caller:
        voice = ramp(16_000)
        caller.audio.caller_says(0, voice)
        await caller.audio.advance(1000)
        utterance = caller.listening.open(REQUEST, speech_start=7000)
        await caller.audio.advance(500)
        utterance.finish()
        await caller.audio.advance(300)
        (final,) = await caller.posted()
        assert isinstance(final, Recognised)
        assert final.hypothesis.text == "yes"
        heard = bytes(recognizer.audio[0])
        first = 7000 - 2400
        assert heard == voice[first * 2 : first * 2 + len(heard)]
        assert first + len(heard) // 2 >= 12_000 - 60 * 8


async def test_speech_right_after_the_start_of_the_call_has_the_pre_roll_there_is() -> None:
    recognizer = FakeRecognizer()
    async with ear(recognizer) as caller:
        voice = ramp(1600)
        caller.audio.caller_says(0, voice)
        await caller.audio.advance(120)
        caller.listening.open(REQUEST, speech_start=160).finish()
        await settle()
        assert bytes(recognizer.audio[0]) == voice[: 960 * 2]


async def test_partials_come_while_the_caller_speaks() -> None:
    async with ear(FakeRecognizer(Hears("to sales", partials=("to",)))) as caller:
        utterance = caller.listening.open(REQUEST, speech_start=0)
        await caller.audio.advance(60)
        (partial,) = await caller.posted()
        assert isinstance(partial, Recognised)
        assert (partial.utterance, partial.hypothesis.text, partial.hypothesis.final) == (utterance.number, "to", False)
        utterance.abandon()


async def test_abandoned_utterance_frees_the_engine_and_posts_nothing() -> None:
    recognizer = FakeRecognizer("yes")
    async with ear(recognizer) as caller:
        utterance = caller.listening.open(REQUEST, speech_start=0)
        await caller.audio.advance(60)
        assert recognizer.open == 1
        utterance.abandon()
        utterance.abandon()
        assert await caller.posted() == []
        assert recognizer.open == 0


async def test_engine_error_is_posted() -> None:
    async with ear(FakeRecognizer(Hears(error=EngineUnavailable("gone"), error_at_block=0))) as caller:
        utterance = caller.listening.open(REQUEST, speech_start=0)
        await caller.audio.advance(60)
        (failed,) = await caller.posted()
        assert isinstance(failed, RecognitionFailed)
        assert (failed.utterance, failed.error.code) == (utterance.number, "engine_unavailable")


async def test_engine_that_ends_without_a_final_has_failed() -> None:
    async with ear(MuteRecognizer()) as caller:
        caller.listening.open(REQUEST, speech_start=0).finish()
        (failed,) = await caller.posted()
        assert isinstance(failed, RecognitionFailed)
        assert isinstance(failed.error, EngineError)


async def test_utterances_are_numbered_apart() -> None:
    async with ear(FakeRecognizer("one", "two")) as caller:
        first = caller.listening.open(REQUEST, speech_start=0)
        first.finish()
        second = caller.listening.open(REQUEST, speech_start=0)
        second.finish()
        finals = await caller.posted()
        assert {(final.utterance, final.hypothesis.text) for final in finals if isinstance(final, Recognised)} == {
            (first.number, "one"),
            (second.number, "two"),
        }


async def test_recogniser_that_does_not_keep_up_has_failed() -> None:
    async with ear(DeafRecognizer()) as caller:
        caller.listening.open(REQUEST, speech_start=0)
        await caller.audio.advance((MAX_UTTERANCE_BLOCKS + 2) * 60)
        failures = [event for event in await caller.posted() if isinstance(event, RecognitionFailed)]
        assert len(failures) == 1
        assert isinstance(failures[0].error, EngineTimeout)


async def test_level_is_that_of_the_kept_audio() -> None:
    async with ear(FakeRecognizer()) as caller:
        caller.audio.caller_speaks(500, 800)
        await caller.audio.advance(1020)
        assert caller.listening.level_dbfs(500 * 8, 800 * 8) > -20
        assert caller.listening.level_dbfs(0, 400 * 8) == -100
        await caller.audio.advance(3000)
        assert caller.listening.level_dbfs(500 * 8, 800 * 8) == -100, "no longer kept"


async def test_audio_of_a_finished_utterance_ends_once() -> None:
    audio = UtteranceAudio()
    audio.add(b"\1\0")
    audio.end()
    audio.end()
    assert audio.add(b"\2\0")
    assert [block async for block in audio] == [b"\1\0"]
