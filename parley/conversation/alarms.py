"""Several alarms on the one alarm of a call's audio; the dialogue's only way to wait."""

from __future__ import annotations

from enum import Enum, auto

from parley.conversation.ports import CallAudio


class Alarm(Enum):
    """What a position is waited for."""

    ENDPOINT = auto()
    """The caller may have finished."""
    KEYS = auto()
    """No further key came."""
    NO_INPUT = auto()
    """The caller did nothing."""
    FILLER = auto()
    """Nothing has been heard from the agent for too long."""
    FINAL = auto()
    """The recogniser's deadline."""
    VOICE = auto()
    """A voice detector's verdict is not waited for any longer."""
    SPEECH = auto()
    """The synthesiser's deadline."""
    HOLD = auto()
    """The caller has had us on hold for too long."""
    TAIL = auto()
    """The last word has reached the caller's ear."""


class Alarms:
    """Keep named positions and have the audio ring at the earliest."""

    def __init__(self, audio: CallAudio) -> None:
        """audio: its alarm belongs to this object alone."""
        self._audio = audio
        self._positions: dict[Alarm, int] = {}

    def set(self, alarm: Alarm, position: int) -> None:
        """Wait for a position; replaces what this alarm waited for."""
        self._positions[alarm] = position
        self._arm()

    def cancel(self, *alarms: Alarm) -> None:
        """Stop waiting."""
        for alarm in alarms:
            self._positions.pop(alarm, None)

    def is_set(self, alarm: Alarm) -> bool:
        """Tell whether this alarm waits for anything."""
        return alarm in self._positions

    def due(self, position: int) -> list[Alarm]:
        """Take the alarms whose position is reached, earliest first, and wait for the rest.

        The audio may ring for a position that nobody waits for any more: then there are none.
        """
        reached = sorted((at, alarm.value) for alarm, at in self._positions.items() if at <= position)
        alarms = [Alarm(value) for _, value in reached]
        self.cancel(*alarms)
        self._arm()
        return alarms

    def _arm(self) -> None:
        if self._positions:
            self._audio.set_alarm(min(self._positions.values()))
