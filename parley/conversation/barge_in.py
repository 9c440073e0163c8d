"""Decide whether the caller's voice over the agent's is an interruption or a passing sound."""

from __future__ import annotations

SILENCE_DBFS = -70.0
"""Below this a level says nothing: the onset itself was not in the audio."""


class BargeIn:
    """One burst of the caller's voice while the agent speaks.

    The voice detector tells the end of a burst only after its hangover, later than an interruption must take
    effect. So each new block is asked whether the voice is still as loud as it began: after a cough it is not.
    """

    def __init__(self, *, min_speech: int, max_drop_db: float) -> None:
        """min_speech: samples of voice that make an interruption.   max_drop_db: onset to tail."""
        self._min_speech = min_speech
        self._max_drop_db = max_drop_db
        self.started: int | None = None
        """First sample of the burst; None when there is none."""

    def speech_started(self, position: int) -> None:
        """Take the first sample of a burst."""
        self.started = position

    def block_heard(self, end: int, onset_dbfs: float, tail_dbfs: float) -> bool:
        """Tell whether the burst, still going on as far as is known, is an interruption.

        end: position one past the newest sample.   onset_dbfs: level of the burst's beginning.   tail_dbfs: level
        of the newest audio.
        """
        if self.started is None or end - self.started < self._min_speech:
            return False
        return onset_dbfs < SILENCE_DBFS or onset_dbfs - tail_dbfs <= self._max_drop_db

    def speech_stopped(self, position: int) -> bool:
        """Take the end of the burst and tell whether it was long enough to be an interruption."""
        started, self.started = self.started, None
        return started is not None and position - started >= self._min_speech
