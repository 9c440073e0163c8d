"""What ARI answers when it does not do what was asked, as members of the call-control error family.

    PbxRefused
    ├── AriLoginRefused user name or password are not, or no longer, what ari.conf says
    └── AriRefused      ARI answered with a 4xx or 5xx status; `status` says which
    PbxUnavailable
    └── AriNotLoaded    Asterisk's web server answers, ARI (or a part of it) does not: still loading, or not configured

Everything else leaves this package as one of `parley.call_control.errors`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from parley.call_control import PbxRefused, PbxUnavailable

_NOT_FOUND = 404
_LEG_IS_GONE = {_NOT_FOUND, 409, 412}
"""Of requests about one channel: it does not exist, is not in our application, is in a state that allows nothing."""


class AriLoginRefused(PbxRefused):
    """Asterisk does not let us in (HTTP 401), whatever we ask."""

    code = "ari_login_refused"


class AriRefused(PbxRefused):
    """ARI understood the request and refused it."""

    code = "ari_refused"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status: 400 bad argument, 404 unknown, 409 not in our application, 412 or 422 wrong state."""

    @property
    def not_found(self) -> bool:
        """Whether what the request names does not exist."""
        return self.status == _NOT_FOUND

    @property
    def leg_is_gone(self) -> bool:
        """Whether this says, of a request about a channel that was in Stasis, that it no longer is."""
        return self.status in _LEG_IS_GONE


@contextmanager
def not_about_the_leg(what: str) -> Iterator[None]:
    """Raise PbxRefused for refusals of a bridge or a media leg: `leg_is_gone` of them says nothing about the party."""
    try:
        yield
    except AriRefused as err:
        raise PbxRefused(f"{what} ({err})") from err


class AriNotLoaded(PbxUnavailable):
    """There is a web server but no ARI: for a moment while Asterisk boots, for ever where it is not configured."""

    code = "ari_not_loaded"
