"""Which leg a command is about, who takes care of it, and Asterisk's ways of saying that it is gone.

`call_control` wraps every command about a leg in `Claims.about`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ari_app.dead_man import DeadManTimer
from ari_app.errors import AriRefused
from ari_app.legs import LegBook
from ari_app.media_legs import Spawn
from ari_app.moves import Moves
from parley.call_control import Direction, Leg, LegGone, LegId, LegState


class Claims:
    """`spawn` runs what must outlive a cancelled caller."""

    def __init__(self, book: LegBook, moves: Moves, dead_man: DeadManTimer, spawn: Spawn) -> None:
        self._book = book
        self._moves = moves
        self._dead_man = dead_man
        self._spawn = spawn

    @asynccontextmanager
    async def about(self, leg_id: LegId) -> AsyncIterator[Leg]:
        """Yield the leg that is meant: the one named, or the one that has taken its place.

        Raises LegGone when it is not in the book, or when ARI says so. The leg is claimed, unless it was not before and
        the command fails. A leg that is said to be gone is given to its timer: whoever asked takes no further care of
        it, and should it be there after all, extension T does.
        """
        leg = self._book.get(await self._moves.present(leg_id))
        if leg is None:
            raise LegGone("the leg has ended or left, or was never here")
        was_claimed = self._book.is_claimed(leg.id)
        self._book.claim(leg.id)
        try:
            yield leg
        except BaseException as err:
            if not was_claimed:
                self._book.release(leg.id)
            refused_as_gone = isinstance(err, AriRefused) and _means_gone(err, leg)
            if refused_as_gone or isinstance(err, LegGone):
                self._give_up(leg.id)
            if refused_as_gone:
                raise LegGone(f"leg {leg.id} has just ended or left") from err
            raise

    def _give_up(self, leg_id: LegId) -> None:
        if self._book.is_claimed(leg_id):
            self._book.release(leg_id)
            self._dead_man.give_up(leg_id)
            self._spawn(self._dead_man.arm(leg_id))


def _means_gone(err: AriRefused, leg: Leg) -> bool:
    """Tell whether a refusal means that the leg is gone; one that still rings is not in Stasis, but not gone."""
    still_rings = leg.direction is Direction.OUTBOUND and leg.state is not LegState.ANSWERED
    return err.not_found if still_rings else err.leg_is_gone
