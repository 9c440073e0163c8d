"""Logging of the process: structlog over the standard library, JSON lines or a console, without personal data.

Libraries write `logger.info("static message", extra={...})`; `configure_logging` decides once, at start, what
becomes of it. Personal data stands under keys that begin with `pii_`: their values are dropped unless the site
asked for them. Secrets are dropped always.
"""

from __future__ import annotations

import atexit
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import cache
from typing import Any, TextIO

import structlog

from parley.app.log_stream import LogStream
from parley.app.terminal_text import visible

PERSONAL_PREFIX = "pii_"
HIDDEN = "[not logged]"
SECRET = "[secret]"  # noqa: S105 (the word that stands in for one)

SECRET_KEY = re.compile(r"(^|[_-])(password|secret|token|api_?key|authorization|cookie|credentials?)$", re.IGNORECASE)
SECRETS_IN_TEXT = (
    (re.compile(r"((?:api_?key|password|token|secret)=)[^&\s'\"]+", re.IGNORECASE), rf"\1{SECRET}"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+(@)"), rf"\1{SECRET}\2"),
)
"""`?api_key=user:password` (ARI's way to log in on a WebSocket) and `scheme://user:password@host`."""

OUR_PACKAGES = ("parley", "ari_app", "audio_fork", "media_core")
TELLING_ERRORS = (OSError, ImportError, NameError, AttributeError, TypeError, IndexError, AssertionError)
"""Errors of others whose text speaks of the machine or the code. Any other's may quote what a caller said."""

QUIET_LOGGERS = ("aiohttp.access", "aiosqlite", "alembic", "sqlalchemy", "asyncio")
"""Their lines below WARNING hold statements with their values, or say nothing that an administrator can use."""

Event = MutableMapping[str, Any]


def configure_logging(json: bool, level: str, personal_data: bool, stream: TextIO | None = None) -> None:
    """Send all log records of this process to `stream`; a second call replaces the first.

    stream: None is stderr, written by a thread: a reader that gets stuck holds nothing up.
    json: one JSON object per line, else a console layout, coloured on a terminal.   level: `DEBUG` … `ERROR`.
    personal_data: keep the values of `pii_` keys and the texts of foreign errors.
    """
    out = stream if stream is not None else _detached_stderr()
    privacy = PrivacyFilter(personal_data)
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, privacy, _renderer(json, out)],
        )
    )
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)


def lost_lines() -> int:
    """Return how many lines were lost because nobody took them."""
    return _detached_stderr().lost


def write_out() -> None:
    """Give the thread a moment to write the lines that wait, where nothing else at the end of the process does."""
    _detached_stderr().drain()


@cache
def _detached_stderr() -> LogStream:
    stream = LogStream(sys.stderr.fileno())
    atexit.register(stream.drain)
    return stream


@contextmanager
def bind_call(call_id: str, leg_id: str) -> Iterator[None]:
    """Put `call_id` and `leg_id` on every line written inside, in this task and those started from it."""
    with structlog.contextvars.bound_contextvars(call_id=call_id, leg_id=leg_id):
        yield


class PrivacyFilter:
    """A structlog processor: takes personal data, secrets and control characters out of a line."""

    def __init__(self, personal_data: bool) -> None:
        """personal_data: let personal data pass (secrets never)."""
        self._personal_data = personal_data

    def __call__(self, logger: Any, method_name: str, event: Event) -> Event:
        """Return the line as it may be written; the exception becomes text under `exception`."""
        error = _error_of(event.pop("exc_info", None))
        clean: Event = {key: self._clean(key, value) for key, value in event.items()}
        if error is not None:
            clean["exception"] = _without_secrets(self._described(error))
        return clean

    def _clean(self, key: str, value: Any) -> Any:
        if SECRET_KEY.search(key):
            return SECRET
        if key.startswith(PERSONAL_PREFIX) and not self._personal_data:
            return HIDDEN
        if isinstance(value, Mapping):
            return {str(name): self._clean(str(name), inner) for name, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean("", inner) for inner in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return visible(_without_secrets(str(value)))

    def _described(self, error: BaseException) -> str:
        """Return the traceback: frames and source lines, never the values of locals."""
        return "\n".join(self._lines(traceback.TracebackException.from_exception(error), error))

    def _lines(self, summary: traceback.TracebackException, error: BaseException) -> Iterator[str]:
        if summary.__cause__ is not None and error.__cause__ is not None:
            yield from self._lines(summary.__cause__, error.__cause__)
            yield "\nThe above exception was the direct cause of the following exception:\n"
        elif summary.__context__ is not None and error.__context__ is not None and not error.__suppress_context__:
            yield from self._lines(summary.__context__, error.__context__)
            yield "\nDuring handling of the above exception, another exception occurred:\n"
        if summary.stack:
            yield "Traceback (most recent call last):"
            yield "".join(summary.stack.format()).rstrip("\n")
        yield self._named(error)
        if isinstance(error, BaseExceptionGroup):
            for number, (inner, part) in enumerate(zip(summary.exceptions or (), error.exceptions, strict=True), 1):
                yield f"--- part {number} of {len(error.exceptions)} ---"
                yield from self._lines(inner, part)

    def _named(self, error: BaseException) -> str:
        """Return `module.Type: text`, without the text where it may quote a caller."""
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        ours = kind.__module__.split(".")[0] in OUR_PACKAGES
        text = str(error)
        if not text:
            return name
        if ours or self._personal_data or isinstance(error, (*TELLING_ERRORS, BaseExceptionGroup)):
            return f"{name}: {visible(text, keep=chr(10))}"
        return f"{name}: {HIDDEN}"


def _error_of(exc_info: object) -> BaseException | None:
    """Return the exception that a log call means: structlog allows True, the standard library a tuple."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    elif exc_info is True:
        exc_info = sys.exception()
    return exc_info if isinstance(exc_info, BaseException) else None


def _without_secrets(text: str) -> str:
    for pattern, replacement in SECRETS_IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _renderer(json: bool, out: TextIO | LogStream) -> structlog.typing.Processor:
    if json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
