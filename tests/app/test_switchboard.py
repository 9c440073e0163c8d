"""Calls through switchboard and call runner, with a PBX in memory and real RTP sockets."""

import asyncio
from pathlib import Path

import pytest

from parley.app.switchboard import OVER
from parley.call_control import (
    AgentAnswered,
    CallId,
    Direction,
    HangupCause,
    Leg,
    LegGone,
    LegId,
    LegState,
    PbxRefused,
)
from parley.conversation.record import CallEnd, EndReason
from tests.app.calls import running_node
from tests.fakes.call_control import FakeCallControl, LegRecord
from tests.fakes.call_log import FakeCallLog

GOODBYE = """
flow: goodbye
languages: [en]
start: bye
fallback: support
nodes:
  bye:
    say: {en: Hello and goodbye.}
    outcome: greeted
    end: hangup
"""

PERSON = """
flow: person
languages: [en]
start: pass_on
fallback: support
summary:
  - en: Caller asked for a person.
nodes:
  pass_on:
    say: {en: One moment.}
    transfer: sales
"""

QUESTION = """
flow: question
languages: [en]
start: ask
fallback: support
slots:
  sure: {type: yes_no}
nodes:
  ask:
    ask: {en: "Are you sure?"}
    slot: sure
    go: bye
  bye:
    say: {en: Goodbye.}
    end: hangup
"""


async def test_call_is_answered_spoken_to_and_hung_up_with_its_result(tmp_path: Path) -> None:
    async with running_node(tmp_path, GOODBYE) as node:
        leg = node.control.caller_arrives("agent=reception")
        record = await node.until_gone(leg.id)
    assert record.answered_by_us
    assert record.hung_up_with is HangupCause.NORMAL_CLEARING
    assert record.variables_set["PARLEY_STATUS"] == "SERVED"
    assert record.variables_set["PARLEY_OUTCOME"] == "greeted"
    assert node.log.end is not None
    assert node.log.end.reason is EndReason.COMPLETED
    assert [turn.agent_heard for turn in node.log.turns] == ["Hello and goodbye."]


async def test_transfer_leaves_for_the_dialplan_with_destination_and_whisper(tmp_path: Path) -> None:
    async with running_node(tmp_path, PERSON) as node:
        leg = node.control.caller_arrives("agent=reception")
        record = await node.until_gone(leg.id)
        assert record.continued
        assert record.variables_set["PARLEY_STATUS"] == "TRANSFER"
        assert record.variables_set["PARLEY_TRANSFER_TO"] == "sales"
        assert record.variables_set["PARLEY_SUMMARY"] == "Caller asked for a person."
        assert Path(record.variables_set["PARLEY_WHISPER"] + ".wav").stat().st_size > 1000


async def test_what_becomes_of_the_caller_in_the_queue_is_noted_after_the_call_s_end(tmp_path: Path) -> None:
    async with running_node(tmp_path, PERSON) as node:
        leg = node.control.caller_arrives("agent=reception")
        await node.until_gone(leg.id)
        ended = len(node.log.facts)
        node.control.queue_tells(AgentAnswered(leg.id, "sales", "Anna", 12.0))
        async with asyncio.timeout(5):
            while len(node.log.facts) == ended:
                await asyncio.sleep(0.005)
    assert node.log.notes[-1].details == {"queue": "sales", "agent": "Anna", "waited_s": "12"}


async def test_keys_that_the_pbx_reports_answer_the_question(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION) as node:
        leg = node.control.caller_arrives("agent=reception")
        await node.until_answered(leg.id)
        # A key before the greeting's first sound is no answer to it.
        while not node.control.record(leg.id).gone:
            node.control.presses(leg.id, "1")
            await asyncio.sleep(0.05)
        record = await node.until_gone(leg.id)
    assert record.variables_set["PARLEY_SLOT_SURE"] == "yes"


@pytest.mark.parametrize(
    ("arguments", "status", "explanation"),
    [
        (("agent=nobody",), "FAILED", "unknown agent 'nobody'"),
        (("reception",), "FAILED", "not name=value"),
    ],
)
async def test_unusable_arguments_send_the_caller_on_unanswered(
    tmp_path: Path, arguments: tuple[str, ...], status: str, explanation: str
) -> None:
    async with running_node(tmp_path, GOODBYE) as node:
        leg = node.control.caller_arrives(*arguments)
        record = await node.until_gone(leg.id)
    assert record.continued
    assert not record.answered_by_us
    assert record.variables_set["PARLEY_STATUS"] == status
    assert explanation in record.variables_set["PARLEY_ERROR"]


async def test_call_beyond_the_limit_goes_on_in_the_dialplan_as_busy(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION, "[limits]\nmax_calls = 1\n") as node:
        first = node.control.caller_arrives("agent=reception")
        await node.until_answered(first.id)
        second = node.control.caller_arrives("agent=reception")
        async with asyncio.timeout(5):
            while not node.control.record(second.id).gone:
                await asyncio.sleep(0.005)
        assert node.control.record(second.id).variables_set["PARLEY_STATUS"] == "BUSY"
        node.control.caller_hangs_up(first.id)
        await node.until_gone(first.id)


async def test_draining_node_takes_no_calls_and_hands_the_last_ones_to_the_fallback_queue(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION) as node:
        talking = node.control.caller_arrives("agent=reception")
        await node.until_answered(talking.id)
        draining = asyncio.create_task(node.switchboard.drain(patience_s=0.2))
        await asyncio.sleep(0)
        late = node.control.caller_arrives("agent=reception")
        await draining
        record = await node.until_gone(talking.id)
        assert (await node.until_gone(late.id)).variables_set["PARLEY_STATUS"] == "BUSY"
    assert record.variables_set["PARLEY_STATUS"] == "FAILED"
    assert record.variables_set["PARLEY_TRANSFER_TO"] == "support"
    assert node.log.end is not None
    assert node.log.end.reason is EndReason.DRAINED


async def test_caller_who_hangs_up_while_talking_is_recorded_as_such(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION) as node:
        leg = node.control.caller_arrives("agent=reception")
        await node.until_answered(leg.id)
        node.control.caller_hangs_up(leg.id, HangupCause.NORMAL_CLEARING)
        await node.until_gone(leg.id)
    assert node.log.end is not None
    assert node.log.end.reason is EndReason.CALLER_HUNG_UP
    assert node.log.end.hangup_cause == HangupCause.NORMAL_CLEARING


async def test_caller_who_leaves_the_agent_on_hold_for_too_long_goes_to_the_fallback_queue(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION, "[limits]\nmax_hold_s = 0.2\n") as node:
        leg = node.control.caller_arrives("agent=reception")
        await node.until_answered(leg.id)
        node.control.party_holds(leg.id)
        node.control.party_retrieves(leg.id)
        node.control.party_holds(leg.id)
        record = await node.until_gone(leg.id)
    assert (record.variables_set["PARLEY_STATUS"], record.variables_set["PARLEY_TRANSFER_TO"]) == ("FAILED", "support")
    assert node.log.end is not None
    assert node.log.end.reason is EndReason.LEFT_ON_HOLD
    assert [note.kind for note in node.log.notes] == ["held", "retrieved", "held"]


async def test_call_goes_on_with_the_party_that_takes_the_callers_place(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION) as node:
        leg = node.control.caller_arrives("agent=reception")
        await node.until_answered(leg.id)
        new = node.control.another_takes_the_place(leg.id)
        while not node.control.record(new.id).gone:
            node.control.presses(new.id, "1")
            await asyncio.sleep(0.05)
        record = await node.until_gone(new.id)
    assert record.hung_up_with is HangupCause.NORMAL_CLEARING
    assert record.variables_set["PARLEY_SLOT_SURE"] == "yes"
    notes = [(note.kind, dict(note.details)) for note in node.log.notes]
    assert ("party_replaced", {"leg_id": new.id}) in notes


async def test_party_that_takes_a_place_after_the_call_is_sent_on(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION) as node:
        leg = Leg(LegId("unknown"), CallId("1"), Direction.INBOUND, LegState.ANSWERED)
        node.control.records[leg.id] = LegRecord(leg)
        new = node.control.another_takes_the_place(leg.id)
        record = await node.until_gone(new.id)
    assert record.continued
    assert record.variables_set["PARLEY_STATUS"] == "FAILED"


class ReplacedOnTheWay(FakeCallControl):
    """The PBX completes a transfer while one of our commands about the caller is under way."""

    def __init__(self, command: str, *, reaches_the_new: bool = False) -> None:
        super().__init__()
        self._command = command
        self._reaches_the_new = reaches_the_new
        self.new: Leg | None = None

    def _asked(self, method: str, leg_id: LegId) -> LegRecord:
        if method == self._command and self.new is None:
            self.new = self.another_takes_the_place(leg_id)
            if not self._reaches_the_new:
                raise LegGone("the leg has just ended or left")
        return super()._asked(method, leg_id)


@pytest.mark.parametrize(
    ("command", "flow"), [("continue_in_dialplan", PERSON), ("hangup", GOODBYE), ("answer", GOODBYE)]
)
async def test_party_that_takes_a_place_while_the_call_is_being_ended_is_sent_on(
    tmp_path: Path, command: str, flow: str
) -> None:
    control = ReplacedOnTheWay(command)
    async with running_node(tmp_path, flow, control=control) as node:
        leg = control.caller_arrives("agent=reception")
        await node.until_gone(leg.id)
        assert control.new is not None
        record = await node.until_gone(control.new.id)
    assert record.continued
    assert record.variables_set == {"PARLEY_STATUS": "FAILED", "PARLEY_ERROR": OVER}


async def test_party_whom_the_last_command_has_reached_is_not_sent_on_a_second_time(tmp_path: Path) -> None:
    control = ReplacedOnTheWay("continue_in_dialplan", reaches_the_new=True)
    async with running_node(tmp_path, PERSON, control=control) as node:
        leg = control.caller_arrives("agent=reception")
        await node.until_gone(leg.id)
        assert control.new is not None
        record = await node.until_gone(control.new.id)
    assert record.variables_set["PARLEY_STATUS"] == "TRANSFER"
    assert "PARLEY_ERROR" not in record.variables_set


async def test_caller_whom_the_pbx_takes_elsewhere_ends_the_call_at_once_and_for_its_own_reason(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION) as node:
        leg = node.control.caller_arrives("agent=reception")
        await node.until_answered(leg.id)
        node.control.dialplan_takes(leg.id)
        record = await node.until_gone(leg.id)
    assert record.variables_set == {}, "the caller was given to the dialplan a second time"
    assert node.log.end is not None
    assert (node.log.end.reason, node.log.end.transferred_to) == (EndReason.TAKEN_AWAY, "")


async def test_callers_are_handed_on_when_somebody_else_is_told_about_their_legs(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION) as node:
        leg = node.control.caller_arrives("agent=reception")
        await node.until_answered(leg.id)
        node.control.another_client_takes_control()
        record = await node.until_gone(leg.id)
        assert "another client" in node.switchboard.pbx_problem
    assert (record.variables_set["PARLEY_STATUS"], record.variables_set["PARLEY_TRANSFER_TO"]) == ("FAILED", "support")
    assert node.log.end is not None
    assert node.log.end.reason is EndReason.PBX_LOST


async def test_why_the_pbx_is_lost_stands_until_it_is_back_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path, QUESTION) as node:

        async def until_problem(part: str) -> None:
            async with asyncio.timeout(5):
                while part not in node.switchboard.pbx_problem or bool(part) != bool(node.switchboard.pbx_problem):
                    await asyncio.sleep(0.005)

        await until_problem("")
        node.control.connection_breaks("closed")
        await until_problem("closed")
        node.control.connection_breaks("wrong password")
        await until_problem("wrong password")
        node.control.connection_returns()
        await until_problem("")
    assert [record.message for record in caplog.records].count("PBX lost; calls go on with their media") == 1


async def test_calls_that_nobody_has_taken_go_on(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION) as node:
        taken = node.control.caller_arrives("agent=reception")
        kept = node.control.caller_arrives("agent=reception")
        await node.until_answered(taken.id)
        await node.until_answered(kept.id)
        node.control.another_client_takes_control(of=[taken.id])
        async with asyncio.timeout(5):
            while node.switchboard.active_calls == 2:
                await asyncio.sleep(0.005)
        assert node.control.record(taken.id).gone
        assert not node.control.record(kept.id).gone
        node.control.caller_hangs_up(kept.id)


@pytest.mark.parametrize("step", ["attach_audio", "answer"])
async def test_caller_gone_during_set_up_ends_the_call_quietly(
    tmp_path: Path, step: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path, GOODBYE) as node:
        node.control.refuse(step, LegGone("the leg has ended"))
        leg = node.control.caller_arrives("agent=reception")
        async with asyncio.timeout(5):
            while node.log.end is None:
                await asyncio.sleep(0.005)
        assert not node.control.record(leg.id).answered_by_us
    assert node.log.end.reason is EndReason.CALLER_HUNG_UP
    assert not [line for line in caplog.records if line.levelname in ("ERROR", "CRITICAL")]


async def test_refused_media_leg_sends_the_caller_on_unanswered(tmp_path: Path) -> None:
    async with running_node(tmp_path, GOODBYE) as node:
        node.control.refuse("attach_audio", PbxRefused("chan_rtp is not loaded"))
        leg = node.control.caller_arrives("agent=reception")
        record = await node.until_gone(leg.id)
    assert record.variables_set["PARLEY_STATUS"] == "FAILED"
    assert not record.answered_by_us
    assert node.log.end is not None
    assert node.log.end.reason is EndReason.FAILED


async def test_no_place_for_its_audio_sends_the_caller_on(tmp_path: Path) -> None:
    async with running_node(tmp_path, GOODBYE, "[limits]\nmax_calls = 1\n") as node:
        taken = node.lines.open(wideband=False)
        leg = node.control.caller_arrives("agent=reception")
        record = await node.until_gone(leg.id)
        await taken.audio.aclose()
    assert not record.answered_by_us
    assert record.variables_set["PARLEY_STATUS"] == "FAILED"
    assert record.variables_set["PARLEY_TRANSFER_TO"] == "support"


async def test_failed_hand_over_is_not_recorded_as_a_transfer(tmp_path: Path) -> None:
    async with running_node(tmp_path, PERSON) as node:
        node.control.refuse("continue_in_dialplan", PbxRefused("no"))
        node.control.caller_arrives("agent=reception")
        async with asyncio.timeout(5):
            while node.log.end is None:
                await asyncio.sleep(0.005)
    assert node.log.end.transferred_to == ""


class BrokenAtTheEnd(FakeCallLog):
    """A call log with a bug of ours in it."""

    async def call_ended(self, call_id: str, end: CallEnd) -> None:
        raise ValueError("a bug")


async def test_fault_in_one_call_leaves_the_others_and_the_node_alone(tmp_path: Path) -> None:
    async with running_node(tmp_path, GOODBYE, log=BrokenAtTheEnd()) as node:
        first = node.control.caller_arrives("agent=reception")
        assert (await node.until_gone(first.id)).answered_by_us
        second = node.control.caller_arrives("agent=reception")
        assert (await node.until_gone(second.id)).answered_by_us


async def test_leg_that_comes_back_gets_one_runner(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION) as node:
        leg = node.control.caller_arrives("agent=reception", leg_id="the-leg")
        await node.until_answered(leg.id)
        node.control.caller_arrives("agent=reception", leg_id="the-leg")
        async with asyncio.timeout(5):
            while node.log.end is None:
                await asyncio.sleep(0.005)
        assert node.log.end.reason is EndReason.TAKEN_AWAY
        assert node.switchboard.active_calls == 1
        node.control.caller_hangs_up(leg.id)


async def test_recording_is_stereo_and_its_path_is_recorded(tmp_path: Path) -> None:
    async with running_node(tmp_path, GOODBYE, "[recording]\nenabled = true\n") as node:
        leg = node.control.caller_arrives("agent=reception")
        await node.until_gone(leg.id)
    assert node.log.end is not None
    recording = Path(node.log.end.recording)
    assert recording.is_relative_to(node.settings.recordings_dir)
    assert recording.read_bytes()[22:24] == b"\x02\x00"


async def test_calls_going_on_are_counted_although_the_record_does_not_hear_of_their_end(tmp_path: Path) -> None:
    async with running_node(tmp_path, QUESTION, log=FakeCallLog(fails=True)) as node:
        leg = node.control.caller_arrives("agent=reception")
        while not node.switchboard.active_calls:
            await asyncio.sleep(0)
        assert node.metrics.registry.get_sample_value("parley_calls_active") == 1
        node.control.caller_hangs_up(leg.id)
        await node.until_gone(leg.id)
        assert node.metrics.registry.get_sample_value("parley_calls_active") == 0


async def test_what_a_call_has_lost_is_counted_when_it_is_over(tmp_path: Path) -> None:
    (tmp_path / "parley-data").mkdir()
    (tmp_path / "parley-data" / "recordings").write_text("a file where the folder should be")
    async with running_node(tmp_path, GOODBYE, "[recording]\nenabled = true\n") as node:
        leg = node.control.caller_arrives("agent=reception")
        await node.until_gone(leg.id)
    assert node.metrics.registry.get_sample_value("parley_dropped_total", {"queue": "recordings"}) == 1
    assert node.metrics.registry.get_sample_value("parley_dropped_total", {"queue": "facts"}) == 0


class StuckCallLog(FakeCallLog):
    """A database that commits no end of a call, and heeds nobody."""

    async def call_ended(self, call_id: str, end: CallEnd) -> None:
        await asyncio.Event().wait()


async def test_what_a_call_or_its_record_still_waits_for_keeps_the_switchboard_for_a_while_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_node(tmp_path, QUESTION, log=StuckCallLog(), records_s=0.1) as node:
        leg = node.control.caller_arrives("agent=reception")
        await node.until_answered(leg.id)
        node.control.caller_hangs_up(leg.id)
        await node.control.aclose()
        await asyncio.wait([node.serving], timeout=5.0)
        assert node.serving.done()
        assert node.serving.exception() is None
    assert node.switchboard.active_calls == 0
    assert "calls were not over and recorded in time" in caplog.text
