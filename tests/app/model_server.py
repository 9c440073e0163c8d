"""A web server with a model's files, as good or bad as the test wants it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(slots=True)
class ModelServer:
    """What is served, and what was asked for."""

    files: dict[str, bytes]
    ranges: bool = True
    """Whether it can go on from some byte."""
    breaks_after: int | None = None
    """End each answer's body after so many bytes."""
    status: int = 0
    """Answer everything with this."""
    moved_to: str = ""
    """Lead everything to this address of a folder."""
    says: dict[str, str] = field(default_factory=dict)
    """Headers of an answer with part of a file, whatever was asked for."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range of each request."""
    url: str = ""


@contextmanager
def serving_models(files: dict[str, bytes], certificate: Path | None = None) -> Iterator[ModelServer]:
    """Serve on loopback.   certificate: with its key; https:// then."""
    served = ModelServer(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            served.asked.append((self.path, wanted))
            content = served.files.get(self.path.removeprefix("/models/"))
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and served.ranges else 0
            if served.moved_to:
                self.send_response(302)
                self.send_header("Location", f"{served.moved_to}/{self.path.removeprefix('/models/')}")
                return self.end_headers()
            if served.status or content is None:
                return self.send_error(served.status or 404)
            if start >= len(content) and start:
                return self.send_error(416)
            headers = {"Content-Length": str(len(content) - start)}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_response(206 if start or served.says else 200)
            for name, value in (headers | served.says).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[start:][: served.breaks_after])

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    served.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}/models"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
