"""Where the dialplan asks for a ticket, by CURL(): HTTP beside health, for callers who come by AudioSocket().

Answered are only the peers that the settings name. `dialplan_arrivals` makes the tickets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from aiohttp import web

from parley.app.call_results import ParleyStatus

logger = logging.getLogger(__name__)

PATH = "/audiosocket"
MAX_REQUEST_OCTETS = 8192
MAX_ARGUMENTS = 20


class Tickets(Protocol):
    """Who decides whether a caller may come."""

    def ticket(self, channel_id: str, arguments: Sequence[str]) -> str:
        """Return what the dialplan is told: `TICKET@HOST:PORT`, `BUSY:why` or `FAILED:why`."""
        ...


class DialplanDoor:
    """The HTTP side. It stands before the node has started, and says so."""

    def __init__(self, peers: Collection[str], on_refused: Callable[[str], None]) -> None:
        """peers: IP addresses. on_refused: told, in a stable word, why a request was not answered."""
        self._peers = frozenset(peers)
        self._on_refused = on_refused
        self._tickets: Tickets | None = None

    @property
    def route(self) -> web.RouteDef:
        """For the web application."""
        return web.post(PATH, self.answer)

    def open(self, tickets: Tickets) -> None:
        """Let callers come from now on."""
        self._tickets = tickets

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request: a form with `channel` (its unique id) and `arguments` (separated by commas).

        Always text, for the dialplan to read; a stranger gets none.
        """
        if request.remote not in self._peers:
            self._on_refused("stranger")
            logger.warning("ticket refused to a stranger", extra={"address": request.remote})
            return web.Response(status=403)
        if request.content_length is None or request.content_length > MAX_REQUEST_OCTETS:
            return _failed("the request is too long", status=413)
        form = await request.post()
        channel_id, arguments = form.get("channel"), form.get("arguments", "")
        if not isinstance(channel_id, str) or not channel_id or not isinstance(arguments, str):
            return _failed("the request names no channel", status=400)
        if self._tickets is None:
            return _failed("Parley is still starting")
        wanted = arguments.split(",")[:MAX_ARGUMENTS] if arguments else []
        return web.Response(text=self._tickets.ticket(channel_id, wanted))


def _failed(why: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=f"{ParleyStatus.FAILED.value}:{why}")
