"""Say what went wrong between us and Asterisk's web server, in words that tell an admin what to fix.

`http_client` raises what these functions return. None of the texts holds a password, a query or a request body.
"""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
from yarl import URL

from ari_app.errors import AriLoginRefused, AriNotLoaded, AriRefused
from parley.call_control import CallControlError, PbxRefused, PbxUnavailable
from parley.call_control.validation import without_control_characters

_MAX_REASON = 200


def connection_error(err: BaseException, base: URL, deadline_s: float) -> CallControlError:
    """Return the error for a request that got no HTTP answer."""
    place = f"{base.host}:{base.port}"
    if isinstance(err, TimeoutError):
        return PbxUnavailable(f"Asterisk at {place} did not answer within {deadline_s:g} s")
    if isinstance(err, aiohttp.ClientConnectorDNSError):
        return PbxUnavailable(f"the host name {base.host} is not known: correct the ARI address")
    if isinstance(err, aiohttp.ClientSSLError | ssl.SSLError):
        return PbxUnavailable(
            f"no TLS connection to {place}: check the certificate there, and whether the port speaks TLS (https://)"
        )
    if isinstance(err, aiohttp.ClientConnectorError) and isinstance(err.os_error, ConnectionRefusedError):
        return PbxUnavailable(
            f"nothing listens at {place}: start Asterisk, and in http.conf set enabled = yes with this bindaddr and "
            "bindport"
        )
    if isinstance(err, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return PbxUnavailable(f"Asterisk at {place} closed the connection")
    return PbxUnavailable(f"no connection to Asterisk at {place} ({type(err).__name__})")


def status_error(status: int, answer: Any, what: str, base: URL, username: str) -> CallControlError:
    """Return the error for an HTTP answer other than success; `answer` is its decoded JSON, None if there was none."""
    if status == 401:
        return AriLoginRefused(
            f"Asterisk refuses the ARI user {username!r}: compare user name and password with the section "
            f"[{username}] of ari.conf (an empty password there switches the user off)"
        )
    if status == 403:
        return PbxRefused(f"the ARI user {username!r} may not do this: set read_only = no in [{username}] of ari.conf")
    if status == 503:
        return PbxUnavailable(f"Asterisk at {base.host}:{base.port} is overloaded or still starting (HTTP 503)")
    if not isinstance(answer, dict | list):
        return _not_ari(status, base)
    return AriRefused(f"Asterisk refused {what}: {_reason(answer)} (HTTP {status})", status)


def unexpected_answer(what: str, base: URL) -> CallControlError:
    """Return the error for a success whose body is not what ARI answers to `what`."""
    return PbxRefused(f"{base.host}:{base.port} does not answer {what} as ARI does: correct the address")


def _not_ari(status: int, base: URL) -> CallControlError:
    if status == 404:
        return AriNotLoaded(
            f"there is a web server at {base.host}:{base.port} but no ARI under {base.path}: unless Asterisk is still "
            "starting, load res_ari.so and the res_ari_*.so modules, set enabled = yes in ari.conf, and compare the "
            "path with `prefix` in http.conf"
        )
    return PbxRefused(f"{base.host}:{base.port} answers (HTTP {status}) but does not speak ARI: correct the address")


def _reason(answer: Any) -> str:
    """Return Asterisk's own words: `{"message": …}`, or `{"error": …}` from the originate requests."""
    if isinstance(answer, dict):
        for key in ("message", "error"):
            if isinstance(answer.get(key), str):
                return without_control_characters(answer[key])[:_MAX_REASON]
    return "no reason given"
