"""The agent's voice by itself: when it began to sound, and recorded prompts."""

import asyncio
import wave
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from parley.conversation.agent_voice import AgentVoice, Fillers
from parley.conversation.alarms import Alarms
from parley.conversation.errors import EngineUnavailable
from parley.conversation.flow.step import Line
from parley.conversation.happenings import Inbox, SpeechFailed, SpeechQueued
from parley.conversation.ports import SpeechChunk, SpeechRequest, Synthesizer
from parley.conversation.settings import Engines
from parley.conversation.speech import SpeechSource
from tests.fakes.call_audio import FakeCallAudio, settle
from tests.fakes.clock import FakeClock
from tests.fakes.recognizer import FakeRecognizer
from tests.fakes.synthesizer import FakeSynthesizer


class Stage:
    """A voice with its audio and its inbox."""

    def __init__(self, tasks: asyncio.TaskGroup, synthesizer: Synthesizer) -> None:
        self.audio = FakeCallAudio()
        self.inbox = Inbox()
        engines = Engines(FakeRecognizer(), synthesizer)
        self.voice = AgentVoice(self.audio, engines, Alarms(self.audio), self.inbox, tasks, deadline=32_000)

    async def says(self, *lines: Line) -> None:
        """Say lines and let them be queued."""
        self.voice.say(lines)
        await settle()

    def silent_so_far(self) -> bool:
        """Whether nothing was given to the phone."""
        return self.audio.queued_samples == 0 and not self.audio.played


@asynccontextmanager
async def on_stage(synthesizer: Synthesizer | None = None, *, released: bool = True) -> AsyncGenerator[Stage]:
    async with asyncio.TaskGroup() as tasks:
        stage = Stage(tasks, synthesizer or FakeSynthesizer())
        if released:
            stage.voice.release()
        yield stage
        stage.voice.stop()
        stage.voice.close()


async def test_first_sound_is_where_playout_started() -> None:
    async with on_stage() as stage:
        await stage.says(Line("One two."))
        stage.voice.playout_started(8000)
        stage.voice.mark_reached(1600, 9600)
        stage.voice.playout_started(20_000)
        assert stage.voice.first_sound == 8000


async def test_first_sound_is_where_the_audio_before_it_ended() -> None:
    async with on_stage() as stage:
        stage.audio.play(b"\0\0" * 800)
        await stage.says(Line("One two."))
        stage.voice.playout_started(8000)
        stage.voice.mark_reached(800, 8800)
        assert stage.voice.first_sound == 8800


async def test_first_sound_is_told_by_the_end_of_the_first_chunk_when_nothing_else_tells_it() -> None:
    async with on_stage() as stage:
        await stage.says(Line("One two."))
        stage.voice.mark_reached(1600, 9600)
        stage.voice.mark_reached(3200, 11_200)
        assert stage.voice.first_sound == 8000


async def test_nothing_is_played_before_the_release() -> None:
    async with on_stage(released=False) as stage:
        await stage.says(Line("One two."))
        assert stage.voice.prepared.is_set()
        assert stage.voice.ready_at == 0
        assert stage.silent_so_far()
        stage.voice.release()
        await settle()
        assert not stage.silent_so_far()


async def test_recorded_prompt_is_played_instead_of_synthesis(tmp_path: Path) -> None:
    pcm = b"\x00\x10\x00\xf0" * 1600
    with wave.open(str(tmp_path / "hello.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(pcm)
    synthesizer = FakeSynthesizer()
    async with on_stage(synthesizer) as stage:
        await stage.says(Line("Hello. Welcome.", recording=str(tmp_path / "hello.wav")), Line("Which day?"))
        await stage.voice.prepared.wait()
        await settle()
        await stage.audio.advance(420)
        assert stage.audio.played_pcm.startswith(pcm)
        assert synthesizer.texts == ["Which day?"]
        assert stage.voice.heard() == "Hello. Welcome."


async def test_fillers_are_coming_until_all_are_made_or_have_failed() -> None:
    clock = FakeClock()
    synthesizer = FakeSynthesizer(clock=clock, delay_ms=100, errors=[EngineUnavailable("gone")])
    fillers = Fillers((Line("One moment."),), "en")
    assert not fillers.coming
    making = asyncio.create_task(fillers.prepare(SpeechSource(Engines(FakeRecognizer(), synthesizer), 8000)))
    await settle()
    assert fillers.coming
    clock.wind(100)
    await making
    assert not fillers.coming
    assert fillers.next() is None


class OddSynthesizer:
    """Gives half a sample."""

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        """Yield three octets."""
        yield SpeechChunk(b"\0\0\0")


async def test_half_a_sample_is_a_fault_of_the_engine() -> None:
    async with on_stage(OddSynthesizer()) as stage:
        await stage.says(Line("Hello."))
        happening = await stage.inbox.next()
        assert isinstance(happening, SpeechFailed)
        assert not happening.recovered


async def test_voice_tells_when_everything_is_queued() -> None:
    async with on_stage() as stage:
        await stage.says(Line("Hello."))
        assert await stage.inbox.next() == SpeechQueued()
        assert stage.voice.speaking
        await stage.audio.advance(220)
        assert not stage.voice.speaking


@pytest.mark.parametrize("lines", [(), (Line(""),)])
async def test_nothing_to_say_is_said_at_once(lines: tuple[Line, ...]) -> None:
    async with on_stage() as stage:
        await stage.says(*lines)
        assert not stage.voice.speaking
        assert stage.voice.heard() == ""


async def test_figures_are_said_in_words_and_heard_as_they_were_written() -> None:
    synthesizer = FakeSynthesizer(align=True)
    async with on_stage(synthesizer) as stage:
        await stage.says(Line("Dr. Smith owes $5 now."), Line("Take no. 5.", as_written=True))
        assert synthesizer.texts == ["Doctor Smith owes five dollars now.", "Take no. 5."]
        await stage.audio.advance(400)
        assert stage.voice.heard() == "Dr. Smith"
        await stage.audio.advance(2000)
        assert stage.voice.heard() == "Dr. Smith owes $5 now. Take no. 5."
