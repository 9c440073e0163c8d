"""A channel as AMI shows it, and what AMI can do to one.

`audiosocket_calls` commands its legs so: channels that are not in Stasis, of which ARI changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ari_app.ami import AmiClient
from ari_app.ami.actions import MAX_LINE
from ari_app.ami.errors import AmiRefused
from ari_app.dead_man import TIMER
from parley.call_control import CallId, Direction, HangupCause, Leg, LegGone, LegId, LegState
from parley.call_control.validation import without_control_characters

APPLICATION = "AudioSocket"

_UNKNOWN = "<unknown>"
_ESCAPED = re.compile(r"\\(.)")
_SECONDS = re.compile(r"[0-9]{1,10}(\.[0-9]{1,6})?")
"""A timer that runs is told with milliseconds, one that does not as `0`."""
_VALUE_OCTETS = MAX_LINE - len("Value: ")
_STATUS = "PARLEY_STATUS"
"""Set last: to the dialplan it says that all the other results are there."""


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """What Asterisk says of a channel; nothing of one that it does not list."""

    fields: Mapping[str, str]
    """Headers of AMI's Status, by Asterisk's own names."""

    def holds(self, connection_id: str) -> bool:
        """Tell whether the channel is in AudioSocket() with this id."""
        shown = self.fields.get("Data", "").partition(",")[0].lower()
        return self.fields.get("Application") == APPLICATION and shown == connection_id

    def as_leg(self, arguments: tuple[str, ...], connection_id: str) -> Leg:
        """Return the leg that the channel is."""
        return Leg(
            id=LegId(self.fields["Uniqueid"]),
            call_id=CallId(self.fields.get("Linkedid") or self.fields["Uniqueid"]),
            direction=Direction.INBOUND,
            state=LegState.ANSWERED,
            ani=self._party("CallerIDNum"),
            ani_name=self._party("CallerIDName"),
            dnis=self._party("DNID"),
            arguments=arguments,
            connection_id=connection_id,
        )

    def _party(self, name: str) -> str:
        """Return a number or name as the network sent it: AMI escapes quotes and control characters as C does."""
        value = self.fields.get(name, "")
        if value == _UNKNOWN:
            return ""
        return without_control_characters(_ESCAPED.sub(lambda pair: pair[1] if pair[1] in "\\\"'?" else " ", value))


class AmiChannels:
    """Requests about channels, by their ids. All raise LegGone for one that is gone, and as AMI does."""

    def __init__(self, ami: AmiClient, on_gone: Callable[[LegId], None]) -> None:
        """on_gone: told of a channel that Asterisk does not know any more, before LegGone is raised."""
        self._ami = ami
        self._on_gone = on_gone

    async def status(self, leg_id: LegId) -> ChannelStatus:
        """Return what Asterisk says of the channel."""
        answer = await self._ask(leg_id, "Status", {})
        return ChannelStatus(next((message for message in answer if message.get("Event") == "Status"), {}))

    async def set_variables(self, leg_id: LegId, variables: Mapping[str, str]) -> None:
        """Set them one after the other, PARLEY_STATUS last. Values end at 993 octets."""
        for name, value in sorted(variables.items(), key=lambda variable: variable[0] == _STATUS):
            await self._ask(leg_id, "Setvar", {"Variable": name, "Value": _fitting(value)})

    async def start_timer(self, leg_id: LegId, length_s: float, deadline_s: float) -> None:
        """Start or renew the channel's timer. deadline_s: for the answer."""
        await self._ask(leg_id, "Setvar", {"Variable": TIMER, "Value": f"{length_s:g}"}, deadline_s)

    async def stop_timer(self, leg_id: LegId) -> None:
        """Stop the channel's timer."""
        await self.set_variables(leg_id, {TIMER: "0"})

    async def timer_s(self, leg_id: LegId) -> float:
        """Return how long the channel's timer runs; 0.0 when it does not."""
        answer = await self._ask(leg_id, "Getvar", {"Variable": TIMER})
        value = answer[0].get("Value", "")
        return float(value) if _SECONDS.fullmatch(value) else 0.0

    async def send_key(self, leg_id: LegId, digit: str) -> None:
        """Send a key (Asterisk needs app_senddtmf.so)."""
        await self._ask(leg_id, "PlayDTMF", {"Digit": digit})

    async def redirect(self, leg_id: LegId, context: str, extension: str, priority: int) -> None:
        """Send the channel to a place in the dialplan."""
        await self._ask(leg_id, "Redirect", {"Context": context, "Exten": extension, "Priority": str(priority)})

    async def hang_up(self, leg_id: LegId, cause: HangupCause) -> None:
        """End the channel."""
        await self._ask(leg_id, "Hangup", {"Cause": str(int(cause))})

    async def _ask(
        self, leg_id: LegId, action: str, fields: Mapping[str, str], deadline_s: float | None = None
    ) -> list[Mapping[str, str]]:
        """Do an action about a channel; AMI takes its id as well as its name."""
        try:
            return await self._ami.request(action, {**fields, "Channel": leg_id}, deadline_s=deadline_s)
        except AmiRefused as err:
            if not err.no_such_channel:
                raise
            self._on_gone(leg_id)
            raise LegGone(f"leg {leg_id} has just ended") from err


def cause_of(text: str) -> HangupCause:
    """Return the cause of AMI's Hangup event; a plain BYE has none."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
    return HangupCause.from_q850(number) if number else HangupCause.NORMAL_CLEARING


def _fitting(value: str) -> str:
    """Return the value, cut so that AMI reads its line whole."""
    return value.encode()[:_VALUE_OCTETS].decode(errors="ignore")
