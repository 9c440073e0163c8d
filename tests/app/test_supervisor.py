"""Pairs of node and worker: kept, stopped in order, changed over."""

import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from parley.app.closing_deadline import CLOSE_WITHIN_S
from parley.app.data_lock import data_lock, supervisor_lock
from parley.app.settings import Settings, load_settings
from parley.app.settings_tables import AsteriskSettings, NotYet
from parley.app.stop_signals import RETIRE
from parley.app.supervisor import (
    MARGIN_S,
    WORKER_PATIENCE,
    Pair,
    ServingName,
    Supervision,
    make_pair,
    settings_now,
    supervise,
)
from parley.app.supervisor_child import Keeper
from parley.app.switchboard import HAND_OVER_S
from parley.inference.load_time import LOAD_S
from parley.inference.worker_process import Watch
from tests.fakes.process import FakeProcess, FakeSpawner

DRAIN_S = 30.0


@dataclass
class Stage:
    """A supervision whose children are fakes."""

    now_s: float = 0.0
    nodes: dict[str, FakeSpawner] = field(default_factory=dict)
    workers: dict[str, FakeSpawner] = field(default_factory=dict)

    serving: list[str] = field(default_factory=list)
    """Names that have taken over."""

    def __post_init__(self) -> None:
        self.supervision = Supervision(("parley", "parley-b"), self._make, self.serving.append)
        self.passes()

    def _make(self, name: str) -> Pair:
        node, worker = FakeSpawner(), FakeSpawner()
        self.nodes[name], self.workers[name] = node, worker
        return Pair(name, [Keeper(f"{name}: node", node), Keeper(f"{name}: worker", worker)], DRAIN_S)

    def passes(self, seconds: float = 1.0) -> bool:
        """Let time pass; return whether anything is left to supervise."""
        self.now_s += seconds
        self.supervision.look(self.now_s)
        for pair in self.supervision.pairs:
            pair.children[1].heard(ready=True)
        return self.supervision.look(self.now_s)

    def pair(self, name: str) -> Pair:
        """Return the pair that has this name now."""
        [pair] = [pair for pair in self.supervision.pairs if pair.name == name]
        return pair

    def becomes_ready(self, name: str) -> None:
        """Let a node say that it is ready."""
        self.pair(name).node.heard(ready=True)
        self.passes()

    def node(self, name: str) -> FakeProcess:
        """Return the node's process."""
        return self.nodes[name].last

    def upgraded(self) -> None:
        """Change over from `parley`, which keeps its calls, to `parley-b`."""
        self.becomes_ready("parley")
        self.supervision.upgrade()
        self.passes()
        self.becomes_ready("parley-b")
        self.passes()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_node_and_worker_are_started_and_each_is_replaced_alone(stage: Stage) -> None:
    stage.becomes_ready("parley")
    stage.workers["parley"].last.status = -9
    assert stage.passes()
    assert stage.passes()
    assert len(stage.workers["parley"].started) == 2
    assert len(stage.nodes["parley"].started) == 1
    stage.node("parley").status = -9
    stage.passes()
    stage.passes()
    assert len(stage.nodes["parley"].started) == 2
    assert stage.node("parley").signals == []


def test_worker_is_stopped_when_the_node_has_drained(stage: Stage) -> None:
    stage.becomes_ready("parley")
    stage.supervision.stop(stage.now_s)
    stage.passes()
    worker = stage.workers["parley"].last
    assert stage.node("parley").asked_to_stop
    assert not worker.asked_to_stop
    stage.node("parley").status = 0
    assert stage.passes()
    assert worker.asked_to_stop
    worker.status = 0
    assert not stage.passes()
    assert stage.supervision.status == 0


def test_node_that_does_not_drain_in_its_time_is_killed(stage: Stage) -> None:
    stage.becomes_ready("parley")
    stage.supervision.stop(stage.now_s)
    stage.passes(DRAIN_S + MARGIN_S - 1)
    assert stage.node("parley").signals == []
    stage.passes(2)
    assert stage.node("parley").signals == [signal.SIGKILL]


def test_node_has_the_time_to_say_itself_what_keeps_it() -> None:
    assert MARGIN_S > HAND_OVER_S + CLOSE_WITHIN_S


def test_settings_error_at_the_first_start_ends_the_supervisor_with_it(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.node("parley").status = 2
    assert stage.passes()
    stage.workers["parley"].last.status = 0
    assert not stage.passes()
    assert stage.supervision.status == 2
    assert len(stage.nodes["parley"].started) == 1
    assert "is not started again" in caplog.text
    assert "is started again" not in caplog.text


def test_settings_error_after_a_crash_is_tried_again_for_ever(stage: Stage) -> None:
    stage.becomes_ready("parley")
    for status in (-9, 2, 2, 2):
        stage.node("parley").status = status
        assert stage.passes(6.0)
        assert stage.passes(6.0)
    assert len(stage.nodes["parley"].started) == 5


def test_crash_at_the_first_start_is_tried_again(stage: Stage) -> None:
    stage.node("parley").status = 1
    stage.passes()
    stage.passes()
    assert len(stage.nodes["parley"].started) == 2


def test_upgrade_starts_a_new_pair_and_retires_the_old_node_when_the_new_one_is_ready(stage: Stage) -> None:
    stage.becomes_ready("parley")
    stage.supervision.upgrade()
    stage.passes()
    assert len(stage.nodes["parley-b"].started) == len(stage.workers["parley-b"].started) == 1
    stage.pair("parley-b").node.heard(ready=False)
    stage.passes()
    assert stage.node("parley").signals == []
    stage.becomes_ready("parley-b")
    stage.passes()
    assert stage.node("parley").signals == [RETIRE]
    assert stage.supervision.serving.name == "parley-b"
    assert stage.serving == ["parley-b"]


def test_old_pair_leaves_when_its_last_call_is_over(stage: Stage) -> None:
    stage.upgraded()
    stage.passes(1000.0)
    assert stage.node("parley").signals == [RETIRE], "it is told once"
    stage.node("parley").status = 0
    stage.passes()
    assert stage.workers["parley"].last.asked_to_stop
    stage.workers["parley"].last.status = 0
    stage.passes()
    assert [pair.name for pair in stage.supervision.pairs] == ["parley-b"]
    assert len(stage.nodes["parley"].started) == 1


def test_old_node_that_dies_with_calls_is_started_again_and_told_again_to_leave(stage: Stage) -> None:
    stage.upgraded()
    stage.node("parley").status = -9
    stage.passes()
    stage.passes()
    assert len(stage.nodes["parley"].started) == 2
    assert stage.node("parley").signals == []
    stage.pair("parley").node.heard(ready=False)
    stage.passes()
    assert stage.node("parley").signals == [RETIRE]


def test_upgrade_during_another_waits_for_its_name(stage: Stage) -> None:
    stage.upgraded()
    stage.supervision.upgrade()
    stage.passes()
    assert len(stage.nodes["parley"].started) == 1
    first = stage.nodes["parley"]
    first.last.status = stage.workers["parley"].last.status = 0
    stage.passes()
    stage.passes()
    assert stage.nodes["parley"] is not first
    stage.becomes_ready("parley")
    stage.passes()
    assert stage.node("parley-b").signals == [RETIRE]


def test_trouble_that_passes_is_tried_again_for_ever_and_ends_nothing(stage: Stage) -> None:
    for _ in range(4):
        stage.node("parley").status = 75
        assert stage.passes(6.0)
        assert stage.passes(6.0)
    assert len(stage.nodes["parley"].started) == 5
    assert stage.supervision.status == 0


@pytest.mark.parametrize("status", [75, 2, 1, -9])
def test_upgrade_to_a_node_that_does_not_start_is_given_up_and_the_old_one_goes_on(stage: Stage, status: int) -> None:
    stage.becomes_ready("parley")
    stage.supervision.upgrade()
    stage.passes()
    stage.node("parley-b").status = status
    assert stage.passes()
    assert stage.passes()
    assert stage.workers["parley-b"].last.asked_to_stop
    stage.workers["parley-b"].last.status = 0
    stage.passes()
    assert [pair.name for pair in stage.supervision.pairs] == ["parley"]
    assert stage.node("parley").signals == []
    assert len(stage.nodes["parley-b"].started) == 1
    stage.supervision.upgrade()
    stage.passes()
    assert stage.supervision.coming is not None, "the next try begins anew"


def test_supervisor_that_was_killed_begins_with_the_name_that_served_last(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert ServingName(settings).names() == ("parley", "parley-b")
    ServingName(settings).keep("parley-b")
    assert ServingName(settings).names() == ("parley-b", "parley")
    ServingName(settings).keep("parley")
    assert ServingName(settings).names() == ("parley", "parley-b")
    ServingName(Settings(data_dir=tmp_path / "missing")).keep("parley-b")


def test_supervisors_that_share_a_folder_remember_each_its_own(tmp_path: Path) -> None:
    first = Settings(data_dir=tmp_path)
    second = Settings(data_dir=tmp_path, asterisk=AsteriskSettings(application="sales"))
    ServingName(first).keep("parley-b")
    ServingName(second).keep("sales")
    assert ServingName(first).names() == ("parley-b", "parley")
    assert ServingName(second).names() == ("sales", "sales-b")


def test_second_supervisor_of_the_same_nodes_is_refused_for_as_long_as_the_first_one_runs(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with supervisor_lock(tmp_path, "parley"), pytest.raises(NotYet, match="another supervisor"):
        supervise(settings, None)
    with supervisor_lock(tmp_path, "parley"), supervisor_lock(tmp_path, "sales"), data_lock(tmp_path, "parley"):
        pass


def test_pair_of_an_upgrade_has_the_settings_of_now_and_the_names_and_ports_of_the_start(tmp_path: Path) -> None:
    config = tmp_path / "parley.toml"
    config.write_text("[agents.a]\nflow = 'reception'\n[limits]\ndrain_s = 1.0\n")
    first = load_settings(config)
    config.write_text("[agents.a]\nflow = 'reception'\n[limits]\ndrain_s = 40.0\n[worker]\naddress = 'pool:50051'\n")
    pair = make_pair(first.node_environment("parley-b"), settings_now(first, config), config, tmp_path)
    assert (pair.name, pair.drain_s, len(pair.children)) == ("parley-b", 40.0, 1)


def test_settings_that_have_an_error_now_leave_the_ones_of_the_start(tmp_path: Path) -> None:
    first = Settings(data_dir=tmp_path)
    (tmp_path / "parley.toml").write_text("[limits]\ndrain_s = 'long'\n")
    assert settings_now(first, tmp_path / "parley.toml") is first


def test_stop_in_the_middle_of_an_upgrade_stops_all_three(stage: Stage) -> None:
    stage.becomes_ready("parley")
    stage.supervision.upgrade()
    stage.passes()
    stage.supervision.stop(stage.now_s)
    stage.passes()
    assert all(stage.node(name).asked_to_stop for name in ("parley", "parley-b"))
    for name in ("parley", "parley-b"):
        stage.node(name).status = stage.workers[name].last.status = 0
    assert not stage.passes()


def test_worker_whose_models_load_for_as_long_as_they_may_is_not_killed() -> None:
    spawn = FakeSpawner()
    worker = Keeper("worker", spawn, WORKER_PATIENCE)
    worker.look(0.0)
    for second in range(int(LOAD_S) + 5):
        worker.look(float(second))
    assert spawn.last.signals == []
    assert Watch().start_s > LOAD_S
