from collections.abc import Iterable

import pytest

from ari_app.events import (
    AriEvent,
    Channel,
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    ChannelHold,
    ChannelUnhold,
    StasisEnd,
    StasisStart,
)
from ari_app.legs import LegBook
from parley.call_control import (
    CallEvent,
    CallId,
    DigitReceived,
    Direction,
    HangupCause,
    Leg,
    LegAnswered,
    LegEnded,
    LegHeld,
    LegId,
    LegLeft,
    LegOffered,
    LegRetrieved,
    LegRinging,
    LegState,
)
from tests.ari_app.captured import captured_events


def told(book: LegBook, events: Iterable[AriEvent]) -> list[CallEvent]:
    return [told for event in events for told in book.apply(event)]


def kinds(events: list[CallEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def expected(book: LegBook, leg_id: str) -> None:
    book.expect(Leg(LegId(leg_id), CallId(leg_id), Direction.OUTBOUND, LegState.RINGING, arguments=("a=1",)))


def test_inbound_call_is_offered_answered_pressed_and_ended() -> None:
    book = LegBook()
    events = told(book, captured_events("inbound_answered_key_caller_hangs_up"))
    assert kinds(events) == ["LegOffered", "LegAnswered", "DigitReceived", "LegEnded"]
    assert events[2] == DigitReceived(LegId("1795327778.0"), "5", 120)
    assert events[3] == LegEnded(LegId("1795327778.0"), HangupCause.NORMAL_CLEARING)
    assert book.legs() == []


def test_key_that_asterisk_reports_twice_is_told_once() -> None:
    book = LegBook()
    told(book, captured_events("inbound_answered_key_caller_hangs_up")[:1])
    times_ms = [("7", 128), ("9", 251), ("9", 254), ("3", 495)]
    events = told(book, [ChannelDtmfReceived("1795327778.0", digit, 80, 1_000_000 + ms) for digit, ms in times_ms])
    assert [event.digit for event in events if isinstance(event, DigitReceived)] == ["7", "9", "3"]


def test_offered_leg_has_the_sites_variables_and_not_those_that_name_call_and_number() -> None:
    [offered] = told(LegBook(), captured_events("inbound_answered_key_caller_hangs_up")[:1])
    assert isinstance(offered, LegOffered)
    assert offered.leg.variables == {"SITE_NOTE": "gold, 5% {off}"}
    assert offered.leg.dnis == "100"
    assert offered.leg.state is LegState.OFFERED


@pytest.mark.parametrize(
    ("formats", "wideband"),
    [
        *[(formats, True) for formats in ("(g722)", "(g722|ulaw)", "(slin16)", "(opus|ulaw)")],
        *[(formats, False) for formats in ("(ulaw|g722)", "(ulaw)", "(slin)", "", "(g7221)")],
    ],
)
def test_leg_is_wideband_when_the_codec_that_it_uses_is(formats: str, wideband: bool) -> None:
    channel = Channel("7.2", state="Ring", variables={"CHANNEL(audionativeformat)": formats})
    [offered] = told(LegBook(), [StasisStart(channel, ())])
    assert isinstance(offered, LegOffered)
    assert (offered.leg.wideband, offered.leg.variables) == (wideband, {})


def test_dialled_number_survives_a_subroutine_and_call_is_the_linked_id() -> None:
    variables = {"CALLERID(dnid)": "100", "CHANNEL(linkedid)": "7.1", "EMPTY": ""}
    channel = Channel("7.2", state="Up", extension="s", variables=variables)
    [offered] = told(LegBook(), [StasisStart(channel, ())])
    assert isinstance(offered, LegOffered)
    assert (offered.leg.dnis, offered.leg.call_id, offered.leg.variables) == ("100", "7.1", {})
    assert offered.leg.state is LegState.ANSWERED


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("inbound_cancelled", HangupCause.NORMAL_CLEARING),
        ("inbound_cancelled_16", HangupCause.NORMAL_CLEARING),
        ("inbound_bye_with_reason", HangupCause.NORMAL_UNSPECIFIED),
        ("inbound_hung_up_from_cli", HangupCause.NORMAL_CLEARING),
        ("inbound_redirected_by_302", HangupCause.UNKNOWN),
    ],
)
def test_inbound_end_has_the_cause_that_the_other_side_gave(name: str, cause: HangupCause) -> None:
    events = told(LegBook(), captured_events(name))
    assert isinstance(events[-1], LegEnded)
    assert events[-1].cause is cause
    assert kinds(events).count("LegEnded") == 1


def test_party_that_takes_anothers_place_is_the_leg_from_then_on() -> None:
    book = LegBook()
    events = captured_events("inbound_replaced_after_attended_transfer")
    old, new = LegId("1795587134.2"), LegId("1795587134.5")
    assert kinds(told(book, events[:3])) == ["LegOffered", "LegAnswered", "LegReplaced"]
    assert (book.resolve(old), old in book, new in book) == (new, False, True)
    book.send_through(new)
    assert told(book, events[3:6]) == []
    assert book.arrived(new) == []
    leg = book.get(new)
    assert leg is not None
    assert (leg.arguments, leg.ani, leg.dnis, leg.call_id) == (("agent=reception",), "15550100", "920", CallId(old))
    book.note_hangup(new, HangupCause.NORMAL_CLEARING)
    assert told(book, events[6:]) == [LegEnded(new, HangupCause.NORMAL_CLEARING)]
    assert book.resolve(old) == old


def test_first_party_is_resolved_to_the_last_one_after_several_moves() -> None:
    book = LegBook()
    book.apply(StasisStart(Channel("7.1", state="Up"), ()))
    for old, new in (("7.1", "7.2"), ("7.2", "7.3")):
        book.replace(LegId(old), Channel(new, state="Up"))
    assert [book.resolve(LegId(leg_id)) for leg_id in ("7.1", "7.2", "7.3")] == ["7.3"] * 3


def test_holds_are_told_once_each_and_the_end_ends_the_last() -> None:
    events = told(LegBook(), captured_events("inbound_held"))
    assert kinds(events) == [
        *("LegOffered", "LegAnswered"),
        *("LegHeld", "LegRetrieved", "LegHeld", "LegRetrieved", "LegHeld"),
        "LegEnded",
    ]


def test_end_of_a_hold_that_never_was_is_not_told() -> None:
    book = LegBook()
    told(book, [StasisStart(Channel("1.1"), ())])
    assert told(book, [ChannelUnhold("1.1"), ChannelHold("1.1"), ChannelHold("1.1")]) == [LegHeld(LegId("1.1"))]
    assert told(book, [ChannelHold("9.9"), ChannelUnhold("9.9")]) == []


def test_hold_counts_as_ended_after_a_time_without_events() -> None:
    book = LegBook()
    channel = Channel("1.1", state="Up", app_name="Stasis")
    told(book, [StasisStart(channel, ()), ChannelHold("1.1")])
    assert book.reconcile([channel], {"1.1"}, [LegId("1.1")]) == [LegRetrieved(LegId("1.1"))]
    assert book.reconcile([channel], {"1.1"}, [LegId("1.1")]) == []


def test_hangup_by_us_ends_with_the_cause_that_we_gave() -> None:
    book = LegBook()
    events = captured_events("inbound_hung_up_by_us")
    told(book, events[:2])
    book.note_hangup(LegId("1795327780.1"), HangupCause.CALL_REJECTED)
    assert told(book, events[2:]) == [LegEnded(LegId("1795327780.1"), HangupCause.CALL_REJECTED)]


@pytest.mark.parametrize("name", ["inbound_goes_on_in_dialplan", "inbound_timer_expired"])
def test_stasis_end_without_hangup_means_that_the_leg_has_left(name: str) -> None:
    book = LegBook()
    events = told(book, captured_events(name))
    assert kinds(events)[-1] == "LegLeft"
    [gone] = [event.leg_id for event in events if isinstance(event, LegLeft)]
    assert told(book, [ChannelHangupRequest(gone, 16, False, None), ChannelDestroyed(gone, 16, None)]) == []


def test_hangup_that_was_asked_for_but_refused_does_not_turn_leaving_into_an_end() -> None:
    book = LegBook()
    told(book, [StasisStart(Channel("1.1"), ())])
    book.note_hangup(LegId("1.1"), HangupCause.USER_BUSY)
    assert told(book, [StasisEnd("1.1")]) == [LegLeft(LegId("1.1"))]


def test_outbound_leg_rings_once_is_answered_and_ends_once() -> None:
    book = LegBook()
    expected(book, "parley-leg.o1")
    events = told(book, captured_events("outbound_answered"))
    assert kinds(events) == ["LegRinging", "LegAnswered", "LegEnded"]
    assert isinstance(events[1], LegAnswered)
    assert (events[1].leg.direction, events[1].leg.arguments) == (Direction.OUTBOUND, ("a=1",))


@pytest.mark.parametrize(
    ("name", "leg_id", "rings", "cause"),
    [
        ("outbound_busy", "parley-leg.o2", False, HangupCause.USER_BUSY),
        ("outbound_declined", "parley-leg.o3", True, HangupCause.CALL_REJECTED),
        ("outbound_no_answer", "parley-leg.o4", True, HangupCause.NO_ANSWER),
        ("outbound_no_answer_16", "parley-leg.o9", True, HangupCause.NO_ANSWER),
        ("outbound_given_up", "parley-leg.o5", True, HangupCause.NORMAL_CLEARING),
    ],
)
def test_attempt_without_answer_ends_with_its_cause(name: str, leg_id: str, rings: bool, cause: HangupCause) -> None:
    book = LegBook()
    expected(book, leg_id)
    ringing: list[CallEvent] = [LegRinging(LegId(leg_id))] if rings else []
    assert told(book, captured_events(name)) == [*ringing, LegEnded(LegId(leg_id), cause)]


def test_far_half_of_a_local_channel_is_no_leg() -> None:
    book = LegBook()
    expected(book, "parley-leg.o8")
    events = told(book, captured_events("outbound_local_channel"))
    assert kinds(events) == ["LegAnswered", "LegEnded"]


def test_subroutine_without_the_dialled_number_gives_none_rather_than_s() -> None:
    [offered] = told(LegBook(), [StasisStart(Channel("1.1", extension="s"), ())])
    assert isinstance(offered, LegOffered)
    assert offered.leg.dnis == ""


def test_leg_that_returns_from_the_dialplan_is_offered_again_as_answered() -> None:
    book = LegBook()
    start = StasisStart(Channel("1.1", state="Up"), ("back",))
    events = told(book, [start, StasisEnd("1.1"), start])
    assert kinds(events) == ["LegOffered", "LegLeft", "LegOffered"]
    assert book.claimed() == [LegId("1.1")]


def test_leg_that_is_offered_twice_has_left_in_between() -> None:
    book = LegBook()
    start = StasisStart(Channel("1.1", state="Up"), ())
    assert kinds(told(book, [start, start])) == ["LegOffered", "LegLeft", "LegOffered"]


def test_released_leg_is_renewed_no_more_until_it_is_claimed_or_offered_again() -> None:
    book = LegBook()
    start = StasisStart(Channel("1.1", state="Up"), ())
    told(book, [start])
    book.release(LegId("1.1"))
    assert book.claimed() == []
    assert not book.is_claimed(LegId("1.1"))
    book.claim(LegId("1.1"))
    assert book.is_claimed(LegId("1.1"))
    book.release(LegId("1.1"))
    assert kinds(told(book, [start])) == ["LegLeft", "LegOffered"]
    assert book.claimed() == [LegId("1.1")]


def test_release_before_the_answer_does_not_outlast_it() -> None:
    book = LegBook()
    expected(book, "parley-leg.o1")
    book.release(LegId("parley-leg.o1"))
    told(book, captured_events("outbound_answered")[:3])
    assert book.claimed() == [LegId("parley-leg.o1")]


class TestReconcile:
    """After a time without events the book agrees with Asterisk, and nothing is told twice."""

    def test_leg_that_no_longer_exists_has_ended(self) -> None:
        book = LegBook()
        told(book, [StasisStart(Channel("1.1"), ())])
        assert book.reconcile([], set(), [LegId("1.1")]) == [LegEnded(LegId("1.1"), HangupCause.UNKNOWN)]
        assert LegId("1.1") not in book

    def test_leg_that_exists_elsewhere_has_left(self) -> None:
        book = LegBook()
        told(book, [StasisStart(Channel("1.1"), ())])
        assert book.reconcile([], {"1.1"}, [LegId("1.1")]) == [LegLeft(LegId("1.1"))]

    def test_leg_that_was_announced_to_end_has_ended_although_its_channel_still_exists(self) -> None:
        book = LegBook()
        told(book, [StasisStart(Channel("1.1"), ()), ChannelHangupRequest("1.1", 31, False, None)])
        assert book.reconcile([], {"1.1"}, [LegId("1.1")]) == [LegEnded(LegId("1.1"), HangupCause.NORMAL_UNSPECIFIED)]

    def test_leg_younger_than_the_question_stays(self) -> None:
        book = LegBook()
        told(book, [StasisStart(Channel("1.1"), ())])
        assert book.reconcile([], set(), []) == []
        assert LegId("1.1") in book

    def test_answer_that_was_missed_is_told(self) -> None:
        book = LegBook()
        told(book, [StasisStart(Channel("1.1"), ())])
        channel = Channel("1.1", state="Up", app_name="Stasis")
        [event] = book.reconcile([channel], {"1.1"}, [LegId("1.1")])
        assert isinstance(event, LegAnswered)
        assert book.reconcile([channel], {"1.1"}, [LegId("1.1")]) == []

    def test_unknown_leg_is_taken_over_in_silence_with_its_arguments(self) -> None:
        book = LegBook()
        channel = Channel("1.1", state="Up", app_name="Stasis", app_data="parley,agent=reception,x=1")
        assert book.reconcile([channel], {"1.1"}, []) == []
        [leg] = book.legs()
        assert (leg.arguments, leg.state) == (("agent=reception", "x=1"), LegState.ANSWERED)
        assert leg.direction is Direction.INBOUND
        assert told(book, [StasisEnd("1.1")]) == [LegLeft(LegId("1.1"))]

    def test_offer_of_a_leg_that_was_taken_over_in_silence_is_its_first(self) -> None:
        book = LegBook()
        channel = Channel("1.1", state="Up", app_name="Stasis", app_data="parley")
        book.reconcile([channel], {"1.1"}, [])
        assert kinds(told(book, [StasisStart(channel, ())])) == ["LegOffered"]

    def test_leg_that_was_taken_over_and_commanded_leaves_before_it_is_offered(self) -> None:
        book = LegBook()
        channel = Channel("1.1", state="Up", app_name="Stasis", app_data="parley")
        book.reconcile([channel], {"1.1"}, [])
        book.claim(LegId("1.1"))
        assert kinds(told(book, [StasisStart(channel, ())])) == ["LegLeft", "LegOffered"]

    def test_leg_of_an_earlier_process_runs_into_its_timer_until_somebody_commands_it(self) -> None:
        book = LegBook()
        channel = Channel("parley-leg.01", state="Up", app_name="Stasis", app_data="parley")
        book.reconcile([channel], {channel.id}, [])
        [leg] = book.legs()
        assert leg.direction is Direction.OUTBOUND
        assert book.claimed() == []
        book.claim(leg.id)
        assert book.claimed() == [leg.id]
