"""Whom an earlier process of ours was calling, or had called, and whom nobody would talk with.

`call_control` asks when it has (re)connected, and hangs them up. A leg that went on in the dialplan keeps its id: it is
somebody else's from then on, a queue agent's caller for one. The far half of a Local channel is never one of them: it
ends with the near half, the leg.
"""

from __future__ import annotations

from collections.abc import Iterable

from ari_app.events import Channel
from ari_app.legs import OWN_PREFIX, LegBook
from ari_app.media_legs import is_media_leg
from ari_app.rest import Bridge
from parley.call_control import LegId

_FAR_HALF = ";2"
"""Asterisk gives it, behind the leg's own id, to the far half of a Local channel."""


class Orphans:
    """The orphans of one application."""

    def __init__(self, application: str, book: LegBook) -> None:
        self.leg_prefix = f"{OWN_PREFIX}{application}."
        """Begins the id of every leg that the application originates."""
        self._application = application
        self._book = book
        self._sent_away: set[str] = set()

    def note_sent_away(self, leg_id: LegId) -> None:
        """Note, while no events come, that a leg has been sent on: Asterisk may still be about to do it."""
        self._sent_away.add(leg_id)

    def among(self, channels: Iterable[Channel], bridges: Iterable[Bridge]) -> list[LegId]:
        """Return the orphans among all channels of Asterisk. Ends what was noted.

        bridges: all of them; whoever is in one with somebody else talks, and is left alone.
        """
        sent_away, self._sent_away = self._sent_away, set()
        parties = [{member for member in bridge.channel_ids if not is_media_leg(member)} for bridge in bridges]
        talking = {member for members in parties if len(members) > 1 for member in members}
        return [
            LegId(channel.id)
            for channel in channels
            if self._is_left(channel) and channel.id not in talking and channel.id not in sent_away
        ]

    def _is_left(self, channel: Channel) -> bool:
        if not channel.id.startswith(self.leg_prefix) or channel.id.endswith(_FAR_HALF):
            return False
        if self._book.is_known(LegId(channel.id)):
            return False
        return channel.state != "Up" or channel.is_held_by(self._application)
