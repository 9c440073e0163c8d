"""What is made of the utterances of one turn."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from parley.conversation.caller_turn import CallerTurn
from parley.conversation.endpointing import Decision, Endpointer
from parley.conversation.errors import EngineTimeout
from parley.conversation.flow.step import Heard
from parley.conversation.happenings import Inbox
from parley.conversation.listening import Listening
from parley.conversation.ports import Hypothesis, RecognitionRequest
from tests.fakes.call_audio import FakeCallAudio
from tests.fakes.recognizer import FakeRecognizer

REQUEST = RecognitionRequest(language="en", rate_hz=8000)
FIRST, SECOND = 1, 2
"""Numbers of the turn's utterances."""


@asynccontextmanager
async def two_utterances() -> AsyncGenerator[CallerTurn]:
    """A turn that was over and then reopened, and is over again."""
    async with asyncio.TaskGroup() as tasks:
        listening = Listening(FakeCallAudio(), FakeRecognizer(), Inbox(), tasks, pre_roll_ms=300)
        turn = CallerTurn(listening, REQUEST, Endpointer(patience=100, min_speech=100, max_speech=100_000))
        turn.speech_started(1000)
        turn.speech_stopped(2000)
        assert turn.decide(2100) is Decision.OVER
        turn.speech_started(2200)
        turn.speech_stopped(3000)
        assert not turn.complete
        assert turn.decide(3100) is Decision.OVER
        yield turn
        turn.abandon()


async def test_turn_is_complete_when_every_utterance_has_its_final() -> None:
    async with two_utterances() as turn:
        turn.recognised(FIRST, Hypothesis("tuesday", final=True, confidence=0.9))
        turn.recognised(SECOND, Hypothesis("at", final=False))
        assert not turn.complete
        turn.recognised(SECOND, Hypothesis("at nine", final=True, confidence=0.6))
        assert turn.complete
        assert turn.heard == Heard("tuesday at nine", confidence=0.6)


async def test_rejected_utterance_is_left_out_beside_a_good_one() -> None:
    async with two_utterances() as turn:
        turn.recognised(FIRST, Hypothesis("tuesday", final=True, confidence=0.9))
        turn.recognised(SECOND, Hypothesis("sales", final=True, confidence=0.2, rejected=True))
        assert turn.heard == Heard("tuesday", confidence=0.9)


async def test_turn_is_rejected_when_nothing_good_is_left() -> None:
    async with two_utterances() as turn:
        turn.recognised(FIRST, Hypothesis("", final=True))
        assert turn.failed(SECOND, EngineTimeout("late"))
        assert turn.heard == Heard("", confidence=0.0, rejected=True)
        assert isinstance(turn.failure, EngineTimeout)


async def test_hypotheses_of_other_turns_are_ignored() -> None:
    async with two_utterances() as turn:
        turn.recognised(7, Hypothesis("sales", final=True))
        assert not turn.failed(7, EngineTimeout("late"))
        assert not turn.complete
        assert turn.failure is None


async def test_passing_sound_is_short_and_means_nothing() -> None:
    async with two_utterances() as turn:
        turn.recognised(FIRST, Hypothesis("", final=True))
        turn.recognised(SECOND, Hypothesis("", final=True, rejected=True))
        assert turn.was_passing_sound(2000)
        assert not turn.was_passing_sound(1999)
