"""Is a TCP port free for us? The doctor asks."""

from __future__ import annotations

import socket


def why_not_free(host: str, port: int) -> str:
    """Return why a TCP port of this machine cannot be bound, in the system's words; empty when it can."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as err:
            return err.strerror or str(err)
    return ""
