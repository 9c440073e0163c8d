"""Where models come from: a folder, or a web server. Both give a file from some byte on."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urlsplit

from parley.app.model_files import MANIFEST, ModelError, ModelUnavailable, parse_manifest, read_manifest

TIMEOUT_S = 30.0
"""Without a byte from the server."""
MANIFEST_BYTES = 1 << 20
_NUMBER = re.compile("[0-9]{1,18}")
_SPAN = re.compile(r"bytes (?P<start>[0-9]{1,18})-[0-9]{1,18}/(?:(?P<size>[0-9]{1,18})|\*)")
_PARTIAL, _NOT_FOUND, _RANGE_WRONG = 206, 404, 416
SECURE = "https://"
WEB = (SECURE, "http://")
"""Over either, a file is known by its sum; the sums themselves come from the publisher, the user, or over https."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is being read."""

    stream: IO[bytes]
    offset: int
    """Where the stream begins: what was asked for, or 0."""
    size: int
    """Of the whole file; 0 where the source does not say."""


class Source(Protocol):
    """A place with a model's files."""

    def sums(self) -> dict[str, str] | None:
        """Return the sums that the place itself states, None where it states none. Raises ModelError."""
        ...

    def open(self, name: str, offset: int) -> AbstractContextManager[Opened]:
        """Open a file, from `offset` on where the place can do that. Raises ModelError."""
        ...


class FolderSource:
    """A folder of this machine: a disk that was carried here, a share."""

    def __init__(self, folder: Path) -> None:
        """Raises ModelError when there is none."""
        if not folder.is_dir():
            raise ModelError(f"{folder} is no folder")
        self._folder = folder

    def sums(self) -> dict[str, str] | None:
        """Return what SHA256SUMS in the folder says. Raises ModelError."""
        manifest = self._folder / MANIFEST
        return read_manifest(manifest) if manifest.is_file() else None

    @contextmanager
    def open(self, name: str, offset: int) -> Iterator[Opened]:
        """Open a file of the folder. Raises ModelError."""
        try:
            stream = (self._folder / name).open("rb")
        except OSError as err:
            raise ModelError(f"{self._folder / name} cannot be read ({err.strerror})") from err
        with stream:
            size = stream.seek(0, 2)
            offset = offset if offset <= size else 0
            stream.seek(offset)
            yield Opened(stream, offset, size)


class WebSource:
    """A web server."""

    def __init__(self, base: str = "", urls: Mapping[str, str] | None = None) -> None:
        """base: the address of the folder with the files.   urls: addresses of files that are not there."""
        self._base = base.rstrip("/")
        self._urls = dict(urls or {})

    def sums(self) -> dict[str, str] | None:
        """Return what SHA256SUMS beside the files says. Raises ModelError, also where anybody could have changed it."""
        if not self._base:
            return None
        if self._base.startswith("http://"):
            raise ModelError(
                f"{self._base}: over http:// whoever changes a file on its way changes its sum, too: give --sha256 "
                "FILE=SUM for each file, from where you trust it, or take https://"
            )
        try:
            with self.open(MANIFEST, 0) as opened:
                text = opened.stream.read(MANIFEST_BYTES).decode("utf-8", "replace")
        except ModelNotThere:
            return None
        return parse_manifest(text, f"{self._base}/{MANIFEST}")

    @contextmanager
    def open(self, name: str, offset: int) -> Iterator[Opened]:
        """Ask for a file. Raises ModelError, also for what fails while it is read."""
        url = self._urls.get(name) or f"{self._base}/{name}"
        if not url.startswith(WEB):
            raise ModelError(f"{url}: an address begins with https:// or http://")
        try:
            with self._ask(url, offset) as answer:
                if url.startswith(SECURE) and not answer.url.startswith(SECURE):
                    raise ModelError(f"{url}: leads to http:// where anybody could change what comes")
                yield Opened(answer, *_extent(answer))
        except urllib.error.HTTPError as err:
            if err.code == _NOT_FOUND:
                raise ModelNotThere(f"{url}: the server has no such file") from err
            raise ModelUnavailable(f"{url}: the server answers {err.code} {err.reason}") from err
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as err:
            why = err.reason if isinstance(err, urllib.error.URLError) else err
            raise ModelUnavailable(
                f"{urlsplit(url).hostname} cannot be reached or has broken off ({why}); what has come is kept: "
                "try again, or fetch the files elsewhere and use --from FOLDER"
            ) from err

    def _ask(self, url: str, offset: int) -> http.client.HTTPResponse:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 (http and https only, see above)
        try:
            answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
        except urllib.error.HTTPError as err:
            if err.code != _RANGE_WRONG:
                raise
            return self._ask(url, 0)  # what is here is longer than the file there: from its beginning
        return answer


class ModelNotThere(ModelError):
    """The source has no such file."""

    code = "model_not_there"


def _extent(answer: http.client.HTTPResponse) -> tuple[int, int]:
    """Return where an answer begins in the file, and the file's size or 0. Raises ModelUnavailable."""
    length = answer.headers.get("Content-Length", "0")
    if not _NUMBER.fullmatch(length):
        raise ModelUnavailable("the server does not say how long its answer is")
    if answer.status != _PARTIAL:
        return 0, int(length)
    span = _SPAN.fullmatch(answer.headers.get("Content-Range", ""))
    if span is None:
        raise ModelUnavailable("the server sends part of a file without saying which")
    start, size = int(span["start"]), int(span["size"] or 0)
    return start, size or (start + int(length) if int(length) else 0)
