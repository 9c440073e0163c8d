"""What every VoiceDetector must do: the fake and the real one pass it.

Subclass in a test module and say what it listens to; pytest collects the inherited tests:

    class TestSilero(VoiceDetectorContract):
        @pytest.fixture
        def detector(self) -> VoiceDetector: ...
        @pytest.fixture
        def sounds(self) -> Sounds: ...
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from parley.conversation.ports import VoiceBurst, VoiceDetector, VoiceJudged

PATIENCE_S = 20.0
"""Real time: models are real."""
BURST = 4000
"""Position at which each burst begins; as many samples of the line come before it."""


@dataclass(frozen=True, slots=True)
class Sounds:
    """What a detector must tell apart, each from its first sample on: 0.5 to 0.9 s, which are heard at once."""

    rate_hz: int
    voice: bytes
    noise: bytes


class Verdicts:
    """What was told about one burst."""

    def __init__(self) -> None:
        self.told: list[VoiceJudged] = []
        self._came = asyncio.Event()

    def take(self, judged: VoiceJudged) -> None:
        """Take a verdict."""
        self.told.append(judged)
        self._came.set()

    async def first(self) -> VoiceJudged:
        """Wait for a verdict."""
        async with asyncio.timeout(PATIENCE_S):
            await self._came.wait()
        return self.told[0]


def say(burst: VoiceBurst, pcm: bytes, rate_hz: int, start: int = BURST) -> None:
    """Let a burst hear audio in blocks of 60 ms."""
    size = 2 * rate_hz * 60 // 1000
    for at in range(0, len(pcm), size):
        burst.hear(start + at // 2, pcm[at : at + size])


class VoiceDetectorContract:
    """The suite. Needs the fixtures `detector` (made on the test's event loop) and `sounds`."""

    @pytest.fixture
    def in_use(self) -> Callable[[], int] | None:
        """Override to tell how many bursts are listened to; None where that cannot be seen."""
        return None

    async def test_voice_is_told_once_with_a_position_within_what_was_heard(
        self, detector: VoiceDetector, sounds: Sounds
    ) -> None:
        """And it is the last that is told."""
        verdicts = Verdicts()
        say(detector.attend(sounds.rate_hz, BURST, verdicts.take), sounds.voice, sounds.rate_hz)
        await verdicts.first()
        await _another_voice(detector, sounds)
        voices = [judged for judged in verdicts.told if judged.is_voice]
        assert len(voices) == 1
        assert verdicts.told[-1] == voices[0]
        assert voices[0].burst == BURST
        assert BURST < voices[0].position <= BURST + len(sounds.voice) // 2

    async def test_noise_is_doubted_once_and_not_called_a_voice(self, detector: VoiceDetector, sounds: Sounds) -> None:
        verdicts = Verdicts()
        say(detector.attend(sounds.rate_hz, BURST, verdicts.take), sounds.noise, sounds.rate_hz)
        assert not (await verdicts.first()).is_voice
        await _another_voice(detector, sounds)
        assert [judged.is_voice for judged in verdicts.told] == [False]

    async def test_nothing_is_told_within_hear(self, detector: VoiceDetector, sounds: Sounds) -> None:
        """The dialogue is in the middle of something else then."""
        verdicts = Verdicts()
        say(detector.attend(sounds.rate_hz, BURST, verdicts.take), sounds.voice, sounds.rate_hz)
        assert verdicts.told == []
        await verdicts.first()

    async def test_nothing_is_told_about_a_burst_that_was_closed(
        self, detector: VoiceDetector, sounds: Sounds, in_use: Callable[[], int] | None
    ) -> None:
        verdicts = Verdicts()
        burst = detector.attend(sounds.rate_hz, BURST, verdicts.take)
        say(burst, sounds.voice, sounds.rate_hz)
        burst.close()
        burst.close()
        burst.hear(BURST, sounds.voice)
        await _another_voice(detector, sounds)
        assert verdicts.told == []
        assert in_use is None or in_use() == 0

    async def test_bursts_at_the_same_time_do_not_mix(self, detector: VoiceDetector, sounds: Sounds) -> None:
        """Twenty callers speak while twenty lines rustle."""
        pairs = [(Verdicts(), Verdicts()) for _ in range(20)]
        size = 2 * sounds.rate_hz * 60 // 1000
        bursts = [
            (detector.attend(sounds.rate_hz, BURST, verdicts.take), pcm)
            for pair in pairs
            for verdicts, pcm in zip(pair, (sounds.voice, sounds.noise), strict=True)
        ]
        for at in range(0, min(len(sounds.voice), len(sounds.noise)), size):
            for burst, pcm in bursts:
                burst.hear(BURST + at // 2, pcm[at : at + size])
        for voice, noise in pairs:
            await voice.first()
            await noise.first()
        await _another_voice(detector, sounds)
        assert [(voice.told[-1].is_voice, noise.told[-1].is_voice) for voice, noise in pairs] == [(True, False)] * 20

    async def test_voice_is_found_behind_audio_that_was_lost(self, detector: VoiceDetector, sounds: Sounds) -> None:
        verdicts = Verdicts()
        burst = detector.attend(sounds.rate_hz, BURST, verdicts.take)
        burst.hear(BURST, sounds.noise[:200])
        say(burst, sounds.voice, sounds.rate_hz, BURST + 2000)
        assert (await verdicts.first()).position > BURST + 2000


async def _another_voice(detector: VoiceDetector, sounds: Sounds) -> None:
    """Wait until a later burst was judged: what was still to be told about earlier ones has been told by then."""
    verdicts = Verdicts()
    burst = detector.attend(sounds.rate_hz, BURST, verdicts.take)
    say(burst, sounds.voice, sounds.rate_hz)
    await verdicts.first()
    burst.close()
