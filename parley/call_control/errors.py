"""Errors of the call-control port; every adapter raises these and no others.

CallControlError
├── InvalidRequest      our own misuse: an argument that no PBX could carry out
├── LegGone             the other side: the leg has ended or was never there
├── PbxRefused          the other side: the PBX understood and said no
└── PbxUnavailable      the other side: no connection, or no answer in time (retryable)
"""

from __future__ import annotations


class CallControlError(Exception):
    """Root of everything that the call-control port raises."""

    code = "call_control"
    """Stable name for metrics and logs."""
    retryable = False
    """Whether the same request may succeed later without any change."""


class InvalidRequest(CallControlError):
    """The request itself is malformed: a forbidden character, an empty destination, a bad digit."""

    code = "invalid_request"


class LegGone(CallControlError):
    """The leg has hung up, left for the dialplan, or was never ours."""

    code = "leg_gone"


class PbxRefused(CallControlError):
    """The PBX answered with a refusal; the message says which and what to check."""

    code = "pbx_refused"


class PbxUnavailable(CallControlError):
    """There is no working connection to the PBX, or it did not answer in time."""

    code = "pbx_unavailable"
    retryable = True
