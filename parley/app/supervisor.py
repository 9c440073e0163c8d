"""`parley supervise`: a node and its worker as children, kept alive; for an upgrade, a second pair beside them.

One loop; the only other thread writes the log. SIGTERM and SIGINT drain the node, then stop the worker. SIGHUP starts
a new pair under the other application name; when it is ready, it gets the new calls, and the old pair leaves when its
last call is over.
"""

from __future__ import annotations

import logging
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from parley.app.child_process import ChildProcess, node_command, worker_command
from parley.app.data_lock import supervisor_lock
from parley.app.exit_status import CANNOT_WORK
from parley.app.notify import READY
from parley.app.run_folder import run_folder
from parley.app.settings import APPLICATION_VARIABLE, Settings, load_settings
from parley.app.settings_tables import SettingsError
from parley.app.stop_signals import RETIRE
from parley.app.supervisor_child import Keeper, Patience, Wanted
from parley.inference.load_time import START_S

logger = logging.getLogger(__name__)

LOOK_S, TICK_S = 0.1, 0.5
WORKER_STOP_S = 5.0
WORKER_PATIENCE = Patience(start_s=START_S)
"""It sends heartbeats when its models are loaded."""
MARGIN_S = 35.0
"""Beyond `drain_s`: a node hands its last calls over (10 s), completes their records and closes (20 s), or else says
what hangs and ends."""
CREDENTIALS = struct.Struct("3i")
SOCKET_NAME = "notify"


class Pair:
    """A node and the worker that it uses; no worker where the site runs its own."""

    def __init__(self, name: str, children: Sequence[Keeper], drain_s: float) -> None:
        """name: the node's application.   children: the node, then the worker."""
        self.name, self.children, self.node = name, children, children[0]
        self.drain_s = drain_s
        """What the node is given for its last calls."""
        self._told = 0
        """The start of the node that was told to retire."""

    @property
    def done(self) -> bool:
        """Whether all have ended for good."""
        return all(child.done for child in self.children)

    def stop(self, now_s: float) -> None:
        """Drain the node; the worker follows."""
        self.node.stop(now_s, self.drain_s + MARGIN_S)

    def look(self, now_s: float) -> None:
        """Do what is due. A node that is to leave is told so whenever it was started."""
        for child in self.children:
            child.look(now_s)
        if self.node.wanted is Wanted.UNTIL_DONE and self.node.beating and self._told < self.node.starts:
            self._told = self.node.starts
            if self.node.process is not None:
                self.node.process.send_signal(RETIRE)
        if self.node.done:
            for worker in self.children[1:]:
                worker.stop(now_s, WORKER_STOP_S)


class Supervision:
    """The pairs: one serves, at times one comes, some leave. Pure; `look` goes on until it returns False."""

    def __init__(
        self, names: tuple[str, str], make: Callable[[str], Pair], on_change: Callable[[str], None] | None = None
    ) -> None:
        """names: of the first node, and of the one that takes turns with it.   on_change: told which serves now."""
        self._names, self._make, self._on_change = names, make, on_change
        self.serving = make(names[0])
        self.coming: Pair | None = None
        self.leaving: list[Pair] = []
        self.status = 0
        """With which the supervisor is to end."""
        self._stopping = self._upgrade_wanted = False

    @property
    def pairs(self) -> list[Pair]:
        """All of them."""
        return [self.serving, *([self.coming] if self.coming else []), *self.leaving]

    def upgrade(self) -> None:
        """Change over to a new pair as soon as there is a name for it."""
        self._upgrade_wanted = True

    def stop(self, now_s: float) -> None:
        """End all pairs."""
        self._stopping = True
        for pair in self.pairs:
            pair.stop(now_s)

    def look(self, now_s: float) -> bool:
        """Do what is due; return whether anything is left to supervise."""
        for pair in self.pairs:
            pair.look(now_s)
        self.leaving = [pair for pair in self.leaving if not pair.done]
        if not self._stopping:
            self._change_over(now_s)
            node = self.serving.node
            if node.status == CANNOT_WORK and not node.was_ready:
                logger.error("the node cannot work as things are, and is not started again", extra={"node": node.name})
                self.status = CANNOT_WORK
                self.stop(now_s)
        return not all(pair.done for pair in self.pairs)

    def _change_over(self, now_s: float) -> None:
        facts = {"serving": self.serving.name}
        if self.coming is not None and self.coming.node.ready:
            self.serving.node.wanted = Wanted.UNTIL_DONE
            self.leaving.append(self.serving)
            self.serving, self.coming = self.coming, None
            logger.info("new node takes the calls, the old one finishes its own", extra={"serving": self.serving.name})
            if self._on_change is not None:
                self._on_change(self.serving.name)
        elif self.coming is not None and self.coming.node.status is not None:
            logger.error("upgrade given up: the new node does not start, the old one goes on", extra=facts)
            self.coming.stop(now_s)
            self.leaving.append(self.coming)
            self.coming = None
        elif self._upgrade_wanted and self.coming is None:
            taken = {pair.name for pair in self.pairs}
            for name in (name for name in self._names if name not in taken):
                self.coming, self._upgrade_wanted = self._make(name), False
                logger.info("upgrade: a new node is started", extra=facts | {"coming": name})


def supervise(settings: Settings, config: Path | None) -> int:
    """Run until told to stop; return the exit status.   config: as nodes are to be given it.

    Raises NotYet while another supervisor has this application and data folder, SettingsError as `data_lock`.
    """
    with (
        supervisor_lock(settings.data_dir, settings.asterisk.application),
        run_folder() as folder,
        open_notify_socket(folder) as notify,
    ):
        memory = ServingName(settings)
        supervision = Supervision(
            memory.names(),
            lambda name: make_pair(settings.node_environment(name), settings_now(settings, config), config, folder),
            memory.keep,
        )
        told: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda caught, frame: told.append(caught))
        tick_at = time.monotonic()
        while supervision.look(time.monotonic()):
            if select.select([notify], [], [], LOOK_S)[0]:
                hear(notify, supervision)
            while told:
                if told.pop(0) == signal.SIGHUP:
                    supervision.upgrade()
                else:
                    supervision.stop(time.monotonic())
            if time.monotonic() >= tick_at:
                tick_at = time.monotonic() + TICK_S
                for pair in supervision.pairs:
                    for child in pair.children:
                        child.tick()
        return supervision.status


class ServingName:
    """Which of the two names served last, for a supervisor that is killed: its callers wait under that name."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.data_dir / f"{settings.asterisk.application}.serving"
        self._names = settings.application_names

    def names(self) -> tuple[str, str]:
        """Return both names, the one that served last first."""
        with suppress(OSError):
            if self._file.read_text(encoding="ascii", errors="replace").strip() == self._names[1]:
                return self._names[1], self._names[0]
        return self._names

    def keep(self, name: str) -> None:
        """Keep the name. A disk that does not take it costs a supervisor that is killed its callers, no more."""
        try:
            self._file.write_text(f"{name}\n", encoding="ascii")
        except OSError as err:
            logger.warning("the serving node's name cannot be kept", extra={"problem": str(err)})


def settings_now(earlier: Settings, config: Path | None) -> Settings:
    """Read the settings again, as a new node does; while they have an error, which it tells, the earlier ones do."""
    try:
        return load_settings(config)
    except SettingsError:
        return earlier


def make_pair(own: Mapping[str, str], settings: Settings, config: Path | None, folder: Path) -> Pair:
    """Return a pair that is not started yet.   own: the node's name and ports, for its environment."""
    name = own[APPLICATION_VARIABLE]
    telling = {"NOTIFY_SOCKET": str(folder / SOCKET_NAME)}
    environment = {**telling, **own}
    workers = []
    if not settings.worker.address:
        address = environment["PARLEY_WORKER__ADDRESS"] = f"unix:{folder / name}.sock"
        command = worker_command(settings, address)
        spawn = partial(ChildProcess, command, telling, ends_with_stdin=True)
        workers = [Keeper(f"{name}: worker", spawn, WORKER_PATIENCE)]
    node = Keeper(f"{name}: node", lambda: ChildProcess(node_command(config), environment))
    return Pair(name, [node, *workers], settings.limits.drain_s)


def open_notify_socket(folder: Path) -> socket.socket:
    """Return the socket on which children tell of themselves; the kernel says which child it was."""
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    notify.bind(str(folder / SOCKET_NAME))
    return notify


def hear(notify: socket.socket, supervision: Supervision) -> None:
    """Take everything that children have sent."""
    while True:
        try:
            text, ancillary, *_ = notify.recvmsg(1024, socket.CMSG_SPACE(CREDENTIALS.size))
        except BlockingIOError:
            return
        pids = [CREDENTIALS.unpack(octets)[0] for _, kind, octets in ancillary if kind == socket.SCM_CREDENTIALS]
        for pair in supervision.pairs:
            for child in pair.children:
                if child.process is not None and child.process.pid in pids:
                    child.heard(ready=READY.encode() in text.split(b"\n"))
