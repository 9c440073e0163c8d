"""Decide whether the caller's voice over the agent's is an interruption or a passing sound."""

from __future__ import annotations

SILENCE_DBFS = -70.0
"""Below this a level says nothing: the onset itself was not in the audio."""


class BargeIn:
    """One burst of the caller's voice while the agent speaks.

    The energy detector tells the end of a burst only after its hangover, later than an interruption must take
    effect. So each new block is asked whether the voice is still as loud as it began: after a cough it is not.
    Where a voice detector judges the burst as well, a loud sound counts from when it has found a voice in it.
    """

    def __init__(self, *, min_speech: int, max_drop_db: float, is_judged: bool = False) -> None:
        """min_speech: samples of voice that make an interruption.   max_drop_db: onset to tail.

        is_judged: a voice detector tells whether the burst is a voice.
        """
        self._min_speech = min_speech
        self._max_drop_db = max_drop_db
        self._is_judged = is_judged
        self._is_loud = False
        """As far as is known, the burst has lasted long enough and goes on."""
        self._is_voice: bool | None = None
        """None while there is no verdict."""
        self.started: int | None = None
        """First sample of the burst; None when there is none."""

    def speech_started(self, position: int) -> None:
        """Take the first sample of a burst."""
        self.started = position
        self._is_loud = False
        self._is_voice = None if self._is_judged else True

    def block_heard(self, end: int, onset_dbfs: float, tail_dbfs: float) -> bool:
        """Tell whether the burst, still going on as far as is known, is an interruption.

        end: position one past the newest sample.   onset_dbfs: level of the burst's beginning.   tail_dbfs: level
        of the newest audio.
        """
        if self.started is None or end - self.started < self._min_speech:
            return False
        self._is_loud = onset_dbfs < SILENCE_DBFS or onset_dbfs - tail_dbfs <= self._max_drop_db
        return self._counts

    def judged(self, is_voice: bool) -> bool:
        """Take the voice detector's verdict on the burst and tell whether it is an interruption now."""
        self._is_voice = is_voice
        return self._counts

    def verdict_missing(self) -> bool:
        """Wait no longer for a verdict, and tell whether the burst is an interruption without."""
        if self._is_voice is None:
            self._is_voice = True
        return self._counts

    def speech_stopped(self, position: int) -> bool:
        """Take the end of the burst and tell whether it was long enough, and voice enough, to be an interruption."""
        started, self.started = self.started, None
        self._is_loud = False
        return started is not None and position - started >= self._min_speech and self._is_voice is not False

    @property
    def _counts(self) -> bool:
        return self._is_loud and self._is_voice is True
