"""Listeners in processes of their own: they hear as one in this process does, and may be killed, stopped and ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from parley.conversation.errors import EngineError, EngineTimeout, EngineUnavailable
from parley.engines.hosted_listener import HostedListener, ListenerHost
from tests.engines.programs import needs_flite
from tests.engines.speech import ORDERS, RATE_HZ, YES_OR_NO, said

BLOCK_BYTES = 960


@pytest.fixture(scope="module")
def host() -> Iterator[ListenerHost]:
    host = ListenerHost("grammar")
    yield host
    host.close()


@pytest.fixture
def listener(host: ListenerHost) -> HostedListener:
    return HostedListener(host)


def heard_by(listener: HostedListener, grammar: str, pcm: bytes) -> str:
    listener.start(RATE_HZ, grammar)
    for first in range(0, len(pcm), BLOCK_BYTES):
        listener.hear(pcm[first : first + BLOCK_BYTES])
    return listener.finish().hypothesis.text


def ends(pid: int) -> bool:
    """Wait for the end of a process that is not ours, 5 s at most."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        with select.epoll() as poll:
            poll.register(descriptor, select.EPOLLIN)
            return bool(poll.poll(5.0))
    finally:
        os.close(descriptor)


@needs_flite
async def test_two_listeners_hear_two_callers_at_the_same_time(host: ListenerHost) -> None:
    first, second = HostedListener(host), HostedListener(host)
    yes, order = await said("yes please"), await said("track my order")
    first.start(RATE_HZ, YES_OR_NO)
    second.start(RATE_HZ, ORDERS)
    for start in range(0, max(len(yes), len(order)), BLOCK_BYTES):
        first.hear(yes[start : start + BLOCK_BYTES])
        second.hear(order[start : start + BLOCK_BYTES])
    assert first.finish().hypothesis.text == "yes please"
    assert second.finish().hypothesis.text == "track my order"
    assert first.pid != second.pid


def test_error_of_the_listener_is_raised_here_and_it_stays_usable(listener: HostedListener) -> None:
    pid = listener.pid
    with pytest.raises(EngineError, match="JSGF"):
        listener.start(RATE_HZ, "nonsense {")
    listener.start(RATE_HZ, YES_OR_NO)
    assert listener.finish().hypothesis.rejected
    assert listener.pid == pid


@needs_flite
async def test_utterance_of_a_killed_process_is_lost_and_the_next_gets_another(listener: HostedListener) -> None:
    listener.start(RATE_HZ, YES_OR_NO)
    killed = listener.pid
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(EngineUnavailable, match="died"):
        listener.hear(bytes(BLOCK_BYTES))
    with pytest.raises(EngineUnavailable, match="died"):
        listener.finish()
    listener.abandon()
    assert heard_by(listener, YES_OR_NO, await said("yes please")) == "yes please"
    assert listener.pid != killed


def test_process_that_hangs_is_killed_and_the_next_utterance_gets_another(host: ListenerHost) -> None:
    listener = HostedListener(host, answer_s=0.5)
    stopped = listener.pid
    os.kill(stopped, signal.SIGSTOP)
    with pytest.raises(EngineTimeout):
        listener.start(RATE_HZ, YES_OR_NO)
    assert ends(stopped)
    listener.start(RATE_HZ, YES_OR_NO)
    assert listener.finish().hypothesis.rejected


def test_host_that_was_killed_is_started_again_and_its_copies_go_on() -> None:
    host = ListenerHost("grammar")
    first = HostedListener(host)
    [parent] = [int(field) for field in (Path("/proc") / str(first.pid) / "stat").read_text().split()[3:4]]
    os.kill(parent, signal.SIGKILL)
    assert ends(parent)
    first.start(RATE_HZ, YES_OR_NO)
    second = HostedListener(host)
    second.start(RATE_HZ, YES_OR_NO)
    assert first.finish().hypothesis.rejected
    assert second.finish().hypothesis.rejected
    host.close()


def test_close_ends_every_process_and_stop_signals_end_none() -> None:
    host = ListenerHost("grammar")
    listeners = [HostedListener(host) for _ in range(2)]
    for listener in listeners:
        os.kill(listener.pid, signal.SIGTERM)
        os.kill(listener.pid, signal.SIGINT)
        listener.start(RATE_HZ, YES_OR_NO)
    host.close()
    host.close()
    assert all(ends(listener.pid) for listener in listeners)
    with pytest.raises(EngineUnavailable):
        listeners[0].hear(b"")


def test_model_that_cannot_be_loaded_is_an_engine_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    host = ListenerHost("grammar", tmp_path)
    with pytest.raises(EngineUnavailable):
        HostedListener(host)
    host.close()
    assert "mdef" in capfd.readouterr().err


def test_process_that_splits_off_copies_has_no_threads() -> None:
    counting = "import os, parley.engines.listener_host; print(len(os.listdir('/proc/self/task')))"
    printed = subprocess.run([sys.executable, "-c", counting], capture_output=True, text=True, check=True, timeout=30)
    assert printed.stdout.strip() == "1"
