"""A process that loads a listener once, and splits off a copy of itself for each lane of the recogniser.

PocketSphinx holds the GIL while it decodes, so decoders of one process share one core. Copies do not, and they share
the model's memory. `hosted_listener` starts it as `python -m parley.engines.listener_host KIND`; its standard input is
a Unix socket. It never starts a thread: a process with threads must not fork.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from parley.conversation.errors import EngineError
from parley.engines.acoustic_model import AcousticModel, narrowband_model, wideband_model
from parley.engines.listener import GrammarListener, Listener, OpenListener

KINDS: Mapping[str, Callable[[AcousticModel], Listener]] = {"grammar": GrammarListener, "open": OpenListener}
NICENESS = 5
"""Decoding gives way to media: a recogniser that is late is felt less than audio that stutters."""
STDIN = 0


def main(arguments: list[str]) -> int:
    """Serve until the worker closes the socket. arguments: a name of KINDS, and the folder of a narrowband model."""
    kind, *folder = arguments
    # Signals to a whole process group mean the node: decoders are needed until their worker lets go of them.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    # The kernel collects the copies that have ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.nice(NICENESS)
    model = narrowband_model(Path(folder[0])) if folder else wideband_model()
    with socket.socket(fileno=STDIN) as control:
        serve(control, KINDS[kind](model))
    return 0


def serve(control: socket.socket, listener: Listener) -> None:
    """Split off a copy for each connection that comes as a descriptor. Returns in the copies, too, at their end."""
    while True:
        request, descriptors, *_ = socket.recv_fds(control, 1, 1)
        if not request:
            return
        if os.fork() == 0:
            control.close()
            attend(Connection(descriptors[0]), listener)
            return
        os.close(descriptors[0])


def attend(connection: Connection, listener: Listener) -> None:
    """Tell our process id, then do what is asked: (method of Listener, arguments) in, its result or EngineError out."""
    with suppress(EOFError, ConnectionError):
        connection.send(os.getpid())
        while True:
            method, arguments = connection.recv()
            try:
                answer = getattr(listener, method)(*arguments)
            except EngineError as err:
                answer = err
            connection.send(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
