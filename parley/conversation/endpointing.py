"""Decide when the caller's turn is over, from the positions of speech alone."""

from __future__ import annotations

from enum import Enum


class Decision(Enum):
    """What a look at the clock shows."""

    GOES_ON = "goes_on"
    """The caller speaks, or pauses for less than the patience."""
    NOISE = "noise"
    """Only sounds too short for speech, then silence: there was no turn."""
    OVER = "over"
    TOO_LONG = "too_long"
    """The caller is still speaking, but longer than anybody wants to listen."""


class Endpointer:
    """One turn of the caller: bursts of speech with pauses between them.

    Feed it the edges of speech in order; look again at `decide_at`. Speech that starts after OVER reopens the turn.
    """

    def __init__(self, *, patience: int, min_speech: int, max_speech: int) -> None:
        """Durations in samples.

        patience: silence that ends the turn.   min_speech: shorter bursts are noise: they neither make a turn nor
        prolong one.   max_speech: from the first speech sample.
        """
        self._patience = patience
        self._min_speech = min_speech
        self._max_speech = max_speech
        self._burst: int | None = None
        self._silence_since = 0
        self.first_speech: int | None = None
        """First sample of the turn's first burst, speech or noise."""
        self.last_speech: int | None = None
        """One past the last sample of real speech; None while there was none."""

    @property
    def speaking(self) -> bool:
        """Whether the caller is speaking now."""
        return self._burst is not None

    @property
    def decide_at(self) -> int | None:
        """Position at which to call `decide()`, unless an edge comes before; None when nothing was heard yet."""
        if self.first_speech is None:
            return None
        limit = self.first_speech + self._max_speech
        return limit if self.speaking else min(limit, self._silence_since + self._patience)

    def speech_started(self, position: int) -> None:
        """Take the first sample of a burst."""
        self._burst = position
        if self.first_speech is None:
            self.first_speech = position

    def speech_stopped(self, position: int) -> None:
        """Take the end of the burst: one past its last sample."""
        if self._burst is None:
            return
        if position - self._burst >= self._min_speech:
            self.last_speech = position
            self._silence_since = position
        elif self.last_speech is None:
            self._silence_since = position
        self._burst = None

    def decide(self, position: int) -> Decision:
        """Say how the turn stands at this position. A burst that is not over yet counts as speech."""
        decide_at = self.decide_at
        if decide_at is None or position < decide_at:
            return Decision.GOES_ON
        if self.speaking:
            self.last_speech = position
            return Decision.TOO_LONG
        return Decision.NOISE if self.last_speech is None else Decision.OVER
