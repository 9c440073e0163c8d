"""Where the dialplan asks for a ticket, by CURL(): HTTP beside health, for callers who come by AudioSocket().

Answered are only the peers that the settings name. `dialplan_arrivals` makes the tickets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from aiohttp import web

from audio_fork.refusals import Refusals
from parley.app.call_results import ParleyStatus

PATH = "/audiosocket"
MAX_REQUEST_OCTETS = 8192
MAX_ARGUMENTS = 20
FORM = "application/x-www-form-urlencoded"
"""What CURL() sends."""


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
        self._refusals = Refusals("request for a ticket refused", on_refused)
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
            self._refuse("stranger", request)
            return web.Response(status=403)
        if request.content_length is None or request.content_length > MAX_REQUEST_OCTETS:
            self._refuse("too_long", request)
            return _failed("the request is too long", status=413)
        form = await _form_of(request)
        channel_id, arguments = form.get("channel"), form.get("arguments", "")
        if not channel_id:
            self._refuse("no_channel", request)
            return _failed("the request names no channel", status=400)
        if self._tickets is None:
            return _failed("Parley is still starting")
        wanted = arguments.split(",")[:MAX_ARGUMENTS] if arguments else []
        return web.Response(text=self._tickets.ticket(channel_id, wanted))

    def _refuse(self, why: str, request: web.Request) -> None:
        self._refusals.add(why, request.remote or "")


async def _form_of(request: web.Request) -> Mapping[str, str]:
    """Return the form's fields; none when the request is no form, or none that can be read."""
    if request.content_type != FORM:
        return {}
    try:
        form = await request.post()
    except (ValueError, LookupError):  # a character set that does not fit, or does not exist
        return {}
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _failed(why: str, status: int = 200) -> web.Response:
    return web.Response(status=status, text=f"{ParleyStatus.FAILED.value}:{why}")
