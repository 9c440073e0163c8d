"""Refusals of ARI, as members of the call-control error family.

    PbxRefused
    └── AriRefused      ARI answered with a 4xx or 5xx status; `status` says which

Everything else leaves this package as one of `parley.call_control.errors`.
"""

from __future__ import annotations

from parley.call_control import PbxRefused


class AriRefused(PbxRefused):
    """ARI understood the request and refused it."""

    code = "ari_refused"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status: 400 bad argument, 404 unknown, 409 not in our application, 412 or 422 wrong state."""
