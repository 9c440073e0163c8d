"""A voice detector that knows what it will say: the verdict comes when enough of the burst was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from parley.conversation.ports import VoiceJudged


class FakeVoiceBurst:
    """One burst."""

    def __init__(self, detector: FakeVoiceDetector, rate_hz: int, burst: int, tell: Callable[[VoiceJudged], None]):
        self._detector = detector
        self._after = detector.after_ms * rate_hz // 1000
        self._burst = burst
        self._tell = tell
        self._judged: bool | None = None
        self._pcm = b""
        self.first: int | None = None
        """Position of the first sample heard."""
        self.open = True

    def hear(self, position: int, pcm: bytes) -> None:
        """Judge, once enough was heard; a doubt may turn into a voice."""
        if not self.open:
            return
        self.first = position if self.first is None else self.first
        self._pcm += pcm
        end = position + len(pcm) // 2
        is_voice = self._detector.is_voice(self._pcm)
        if is_voice is None or is_voice is self._judged or end - self._burst < self._after:
            return
        self._judged = is_voice
        judged = VoiceJudged(self._burst, end, is_voice)
        asyncio.get_running_loop().call_soon(self._pass_on, judged)

    def close(self) -> None:
        """Tell nothing more."""
        self.open = False

    def _pass_on(self, judged: VoiceJudged) -> None:
        if self.open:
            if judged.is_voice:
                self.close()
            self._tell(judged)


class FakeVoiceDetector:
    """VoiceDetector whose verdict is a function of the audio."""

    def __init__(self, is_voice: Callable[[bytes], bool | None] = lambda _: True, *, after_ms: int = 96) -> None:
        """is_voice: of all audio of a burst so far; None: no verdict yet.   after_ms: from the burst's beginning."""
        self.is_voice = is_voice
        self.after_ms = after_ms
        self.bursts: list[FakeVoiceBurst] = []

    @property
    def open(self) -> int:
        """Bursts that are listened to."""
        return sum(burst.open for burst in self.bursts)

    def attend(self, rate_hz: int, burst: int, tell: Callable[[VoiceJudged], None]) -> FakeVoiceBurst:
        """Listen to a burst."""
        self.bursts.append(FakeVoiceBurst(self, rate_hz, burst, tell))
        return self.bursts[-1]
