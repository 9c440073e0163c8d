"""Keeping one child running, in the test's own time."""

import signal

import pytest

from parley.app.supervisor_child import Keeper, Patience, Wanted
from tests.fakes.process import FakeSpawner

PATIENCE = Patience(start_s=40, misses=5, backoff_s=0.1, max_backoff_s=5.0, stable_s=30)


@pytest.fixture
def spawn() -> FakeSpawner:
    return FakeSpawner()


@pytest.fixture
def child(spawn: FakeSpawner) -> Keeper:
    keeper = Keeper("node", spawn, PATIENCE)
    keeper.look(0.0)
    return keeper


def dies(child: Keeper, spawn: FakeSpawner, now_s: float, status: int = -9) -> None:
    """Let the child that runs end, and the keeper see it."""
    spawn.last.status = status
    child.look(now_s)


def test_dead_child_is_started_again_at_once(child: Keeper, spawn: FakeSpawner) -> None:
    child.heard(ready=True)
    dies(child, spawn, 100.0)
    assert not child.ready
    child.look(100.05)
    assert len(spawn.started) == 1
    child.look(100.1)
    assert len(spawn.started) == 2


def test_waits_between_restarts_grow_but_never_beyond_the_limit_and_it_never_gives_up(
    child: Keeper, spawn: FakeSpawner
) -> None:
    looks, waits = 0, []
    for _ in range(12):
        dies(child, spawn, looks / 100)
        died, before = looks, len(spawn.started)
        while len(spawn.started) == before:
            looks += 1
            child.look(looks / 100 + 0.001)
        waits.append((looks - died) / 100)
    assert waits[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
    assert set(waits[6:]) == {5.0}


def test_child_that_lived_for_long_is_started_again_without_delay(child: Keeper, spawn: FakeSpawner) -> None:
    for now_s in (0.0, 1.0, 2.0):
        dies(child, spawn, now_s)
        child.look(now_s + 0.9)
    assert len(spawn.started) == 4
    dies(child, spawn, 40.0)
    child.look(40.1)
    assert len(spawn.started) == 5


def test_program_that_cannot_be_started_is_tried_again(spawn: FakeSpawner, caplog: pytest.LogCaptureFixture) -> None:
    spawn.fails = 1
    child = Keeper("node", spawn, PATIENCE)
    child.look(0.0)
    assert child.process is None
    assert "child cannot be started" in caplog.text
    child.look(0.1)
    assert child.process is spawn.last


def test_silent_child_is_killed_and_a_beating_one_is_not(child: Keeper, spawn: FakeSpawner) -> None:
    for _ in range(20):
        child.heard(ready=True)
        child.tick()
    assert spawn.last.signals == []
    for _ in range(4):
        child.tick()
    assert spawn.last.signals == []
    child.tick()
    assert spawn.last.signals == [signal.SIGKILL]


def test_machine_that_stood_still_kills_nobody(child: Keeper, spawn: FakeSpawner) -> None:
    child.heard(ready=True)
    child.tick()
    child.look(3600.0)
    child.tick()
    child.heard(ready=True)
    for _ in range(5):
        child.tick()
    assert spawn.last.signals == []


def test_child_has_time_for_its_first_heartbeat_but_not_for_ever(child: Keeper, spawn: FakeSpawner) -> None:
    for now_s in range(40):
        child.tick()
        child.look(now_s)
    assert spawn.last.signals == []
    child.look(40.0)
    assert spawn.last.signals == [signal.SIGKILL]


def test_stopped_child_is_asked_then_killed_and_never_started_again(child: Keeper, spawn: FakeSpawner) -> None:
    child.heard(ready=True)
    child.stop(100.0, within_s=45)
    child.stop(120.0, within_s=45)
    assert spawn.last.asked_to_stop
    child.heard(ready=False)
    child.look(144.9)
    assert spawn.last.signals == []
    child.look(145.0)
    assert spawn.last.signals == [signal.SIGKILL]
    child.look(145.1)
    assert child.done
    child.look(200.0)
    assert len(spawn.started) == 1


def test_child_that_hangs_while_it_stops_is_killed_sooner(child: Keeper, spawn: FakeSpawner) -> None:
    child.heard(ready=True)
    child.stop(100.0, within_s=45)
    for _ in range(6):
        child.tick()
    assert spawn.last.signals == [signal.SIGKILL]


@pytest.mark.parametrize(("status", "done"), [(0, True), (2, True), (75, False), (1, False), (-9, False)])
def test_child_that_is_to_finish_its_work_is_started_again_if_it_dies_before(
    child: Keeper, spawn: FakeSpawner, status: int, done: bool
) -> None:
    child.wanted = Wanted.UNTIL_DONE
    dies(child, spawn, 5.0, status)
    assert child.done is done
    child.look(6.0)
    assert len(spawn.started) == (1 if done else 2)


def test_child_that_ends_well_by_itself_is_started_again_while_it_is_wanted(child: Keeper, spawn: FakeSpawner) -> None:
    dies(child, spawn, 5.0, 0)
    child.look(6.0)
    assert len(spawn.started) == 2
