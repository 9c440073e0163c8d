"""Real child processes: they do not outlive their parent, and what they tell reaches the right keeper."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parley.app.child_process import ChildProcess, node_command, worker_command
from parley.app.notify import Notifier
from parley.app.settings import Settings
from parley.app.supervisor import Pair, Supervision, hear, open_notify_socket
from parley.app.supervisor_child import Keeper
from tests.support.liveness import is_alive

ROOT = Path(__file__).resolve().parents[2]
PARENT = """
import sys, time
from parley.app.child_process import ChildProcess
child = ChildProcess(["sleep", "60"], {})
print(child.pid, flush=True)
time.sleep(60)
"""
FORKING = """
import os
ran = []
os.register_at_fork(after_in_parent=lambda: ran.append(1))
from parley.app.child_process import ChildProcess
child = ChildProcess(["true"], {})
while child.poll() is None:
    pass
print(len(ran), child.poll())
"""
BEATING = """
import asyncio
from parley.app.notify import Notifier
async def main():
    notifier = Notifier()
    async with notifier.beating():
        await asyncio.sleep(0.3)
        notifier.ready = True
        await asyncio.sleep(60)
asyncio.run(main())
"""
LIMIT_S = 10.0


def until(condition: Callable[[], bool]) -> None:
    """Wait until something of another process holds."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def child() -> Iterator[ChildProcess]:
    """A shell that ends with its standard input."""
    process = ChildProcess(["sh", "-c", "cat; exit 7"], {}, ends_with_stdin=True)
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        until(lambda: process.poll() is not None)


def test_child_dies_with_its_parent_however_that_dies() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    until(lambda: not is_alive(pid))


def test_no_python_runs_between_fork_and_exec_where_a_thread_s_lock_would_stay_locked() -> None:
    shown = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, cwd=ROOT, check=True, text=True)
    assert shown.stdout == "0 0\n"


def test_child_that_ends_with_its_standard_input_is_asked_so(child: ChildProcess) -> None:
    assert child.poll() is None
    child.ask_to_stop()
    until(lambda: child.poll() is not None)
    assert child.poll() == 7


def test_terminals_ctrl_c_does_not_reach_the_child(child: ChildProcess) -> None:
    assert os.getsid(child.pid) == child.pid
    assert os.getsid(child.pid) != os.getsid(0)


def test_commands_are_those_of_this_installation() -> None:
    assert node_command(Path("/etc/parley.toml"))[:4] == [sys.executable, "-m", "parley.app.cli", "serve"]
    assert node_command(None)[-1] == "serve"
    assert "--child" in worker_command(Settings(), "unix:/run/x.sock")


def test_heartbeats_are_heard_from_the_child_that_sends_them_and_from_no_other(tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "PYTHONPATH": str(ROOT)}
    beating = Keeper("beating", lambda: ChildProcess([sys.executable, "-c", BEATING], environment))
    silent = Keeper("silent", lambda: ChildProcess(["sleep", "60"], environment))
    supervision = Supervision(("parley", "parley-b"), lambda name: Pair(name, [beating, silent], 0.0))
    with open_notify_socket(tmp_path) as notify:
        supervision.look(0.0)

        def is_ready() -> bool:
            hear(notify, supervision)
            return beating.ready

        until(is_ready)
        assert beating.beating
        assert not silent.beating
    for keeper in (beating, silent):
        assert keeper.process is not None
        keeper.process.send_signal(signal.SIGKILL)
    until(lambda: all(keeper.process.poll() is not None for keeper in (beating, silent) if keeper.process))


async def test_process_that_nobody_supervises_tells_nothing() -> None:
    environment: dict[str, str] = {}
    async with Notifier(environment).beating():
        pass


def test_name_of_the_socket_is_not_passed_on_to_children() -> None:
    environment = {"NOTIFY_SOCKET": "/run/notify", "HOME": "/"}
    Notifier(environment)
    assert environment == {"HOME": "/"}
