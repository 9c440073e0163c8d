"""From how likely each 32 ms of a burst is speech to the verdict on the burst."""

from __future__ import annotations

from parley.conversation.ports import VoiceJudged

CHUNKS_OF_A_VOICE = 2
"""So many likely ones in a row: a single one is also found in clicks and in music."""
DOUBTED_AFTER_MS = 128
"""A burst of which nothing was likely by then is doubted. Nine voices in ten are found before."""


class BurstVerdict:
    """One burst: take chunk after chunk, tell at most one doubt and one voice."""

    def __init__(self, burst: int, rate_hz: int, threshold: float) -> None:
        """burst: position at which it begins.   threshold: probability from which on a chunk is likely."""
        self._burst = burst
        self._doubted_from = burst + DOUBTED_AFTER_MS * rate_hz // 1000
        self._threshold = threshold
        self._likely = 0
        self._doubted = False
        self.found = False
        """Somebody speaks: there is nothing more to tell."""

    def take(self, end: int, probability: float) -> VoiceJudged | None:
        """Take the next chunk and return the verdict that follows from it, if any.

        end: position one past the chunk; one before the burst tells nothing about it.
        """
        if self.found or end <= self._burst:
            return None
        self._likely = self._likely + 1 if probability >= self._threshold else 0
        if self._likely == CHUNKS_OF_A_VOICE:
            self.found = True
            return VoiceJudged(self._burst, end, is_voice=True)
        if not self._likely and not self._doubted and end >= self._doubted_from:
            self._doubted = True
            return VoiceJudged(self._burst, end, is_voice=False)
        return None
