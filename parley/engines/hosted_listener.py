"""A listener in a process of its own, used as if it were here; synchronous, one lane's thread at a time.

`DecoderPool` makes them. The processes are copies of a `listener_host`, which is started when first needed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from parley.conversation.errors import EngineError, EngineTimeout, EngineUnavailable
from parley.engines.listener import Finding

LOAD_S = 30.0
"""For the host to load the model (0.3 s on a quiet machine) and split a copy off (some ms)."""
ANSWER_S = 3.0
"""Longer than any client waits for an answer, and than a piece of work takes on a machine that is overloaded."""
STOP_S = 5.0


class ListenerHost:
    """The process whose copies the listeners are. Used by the threads of all lanes."""

    def __init__(self, kind: str, narrowband_folder: Path | None = None) -> None:
        """Prepare; nothing is started yet.   kind: a name of `listener_host.KINDS`."""
        self._arguments = [kind, *([str(narrowband_folder)] if narrowband_folder else [])]
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._connections: set[Connection] = set()

    def split_off(self) -> Connection:
        """Return a connection to a new copy. Raises EngineUnavailable."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                with self._lock:
                    socket.send_fds(self._running(), [b"+"], [theirs.fileno()])
            except OSError as err:
                ours.close()
                raise EngineUnavailable("the host of the decoders does not run") from err
        connection = Connection(ours.detach())
        self._connections.add(connection)
        return connection

    def let_go(self, connection: Connection) -> None:
        """Close the connection to a copy, which ends it."""
        self._connections.discard(connection)
        connection.close()

    def close(self) -> None:
        """End the host and all copies."""
        with self._lock:
            self._end()
        for connection in list(self._connections):
            self.let_go(connection)

    def _running(self) -> socket.socket:
        """Return the control socket of a host that runs, started anew if it has ended."""
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._control is None:
            self._control, theirs = socket.socketpair()
            with theirs:
                command = [sys.executable, "-m", "parley.engines.listener_host", *self._arguments]
                self._process = subprocess.Popen(command, stdin=theirs.fileno())  # noqa: S603 (no shell, our own module)
        return self._control

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


class HostedListener:
    """A listener whose work is done by a copy of the host; a new copy takes over from one that died or hung."""

    def __init__(self, host: ListenerHost, answer_s: float = ANSWER_S) -> None:
        """Split the process off.   answer_s: for one piece of work; then it hangs and is killed. Raises EngineError."""
        self._host = host
        self._answer_s = answer_s
        self._connection: Connection | None = None
        self._pid = 0
        self._split_off()

    def start(self, rate_hz: int, grammar: str) -> None:
        """Begin an utterance; one that is still open is abandoned. Raises EngineError.

        Nothing is lost yet with a process that has died since the last one: another takes its place.
        """
        with suppress(EngineUnavailable):
            return self._begin(rate_hz, grammar)
        self._begin(rate_hz, grammar)

    def hear(self, pcm: bytes) -> str:
        """Take more audio and return what is understood so far. Raises EngineError."""
        return str(self._ask("hear", pcm))

    def finish(self) -> Finding:
        """End the utterance and judge it. Raises EngineError."""
        finding: Finding = self._ask("finish")
        return finding

    def abandon(self) -> None:
        """Leave the utterance; harmless when there is none, or no process any more."""
        if self._connection is not None:
            with suppress(EngineError):
                self._ask("abandon")

    def _begin(self, rate_hz: int, grammar: str) -> None:
        if self._connection is None:
            self._split_off()
        self._ask("start", rate_hz, grammar)

    @property
    def pid(self) -> int:
        """Of the process that listens, or that listened last; 0 while there has been none."""
        return self._pid

    def _split_off(self) -> None:
        self._pid = 0
        self._connection = self._host.split_off()
        self._pid = self._answer(LOAD_S)

    def _ask(self, method: str, *arguments: object) -> Any:
        """Have the process do something. Raises its EngineErrors, EngineTimeout, and EngineUnavailable if it died."""
        if self._connection is None:
            raise EngineUnavailable("the decoder has died during this utterance")
        with self._lost_when_broken():
            self._connection.send((method, arguments))
        answer = self._answer(self._answer_s)
        if isinstance(answer, EngineError):
            raise answer
        return answer

    def _answer(self, within_s: float) -> Any:
        connection = self._connection
        if connection is None:
            raise EngineUnavailable("the decoder has died during this utterance")
        with self._lost_when_broken():
            if connection.poll(within_s):
                return connection.recv()
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        self._lose()
        raise EngineTimeout(f"the decoder gave no answer within {within_s:g} s")

    @contextmanager
    def _lost_when_broken(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError) as err:
            self._lose()
            raise EngineUnavailable("the decoder has died") from err

    def _lose(self) -> None:
        """Give the process up; the next utterance gets another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._host.let_go(connection)
