import pytest

from ari_app.validation import (
    caller_id_of,
    checked_application,
    checked_destination,
    checked_place,
    checked_sip_uri,
    joined_arguments,
)
from parley.call_control import DialplanTarget, InvalidRequest, OriginateRequest, SipTarget


@pytest.mark.parametrize("uri", ["sip:999@pbx.example", "sips:+15551234@192.0.2.1:5061", "sip:a.b-c_d@host"])
def test_plain_sip_address_is_accepted(uri: str) -> None:
    assert checked_sip_uri(SipTarget(uri)) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "999@host",
        "sip:host",
        "sip:a@host?Replaces=x",
        "sip:a@host;transport=tcp",
        "sip:a@host>\r\nX: y",
        "sip:a@host\n",
        "sip:a b@host",
        "tel:+15551234",
        "sip:a@host,sip:b@host",
        "sip:a@-host",
        "",
    ],
)
def test_sip_address_that_could_write_headers_is_refused(uri: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_sip_uri(SipTarget(uri))


@pytest.mark.parametrize(
    "place",
    [
        DialplanTarget("", "1"),
        DialplanTarget("a b", "1"),
        DialplanTarget("a", "1,1)"),
        DialplanTarget("a", "1\n"),
        DialplanTarget("a", "${X}"),
        DialplanTarget("a", "1", 0),
    ],
)
def test_place_that_cannot_be_in_a_dialplan_is_refused(place: DialplanTarget) -> None:
    with pytest.raises(InvalidRequest):
        checked_place(place)


@pytest.mark.parametrize(
    "destination", ["", "PJSIP", "PJSIP/", "PJSIP/a b", "PJSIP/a\r\n", "/agent1", "P-J/x", "PJSIP/" + "x" * 251]
)
def test_destination_that_is_no_dial_string_is_refused(destination: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_destination(OriginateRequest(destination))


@pytest.mark.parametrize(
    ("number", "name", "caller_id"),
    [
        ("+15550123", "", "+15550123"),
        ("+15550123", "Jane Doe", '"Jane Doe" <+15550123>'),
        ("1", 'J" <666>\r\nX: y\\', '"J 666 X: y" <1>'),
        ("", "", ""),
    ],
)
def test_caller_id_holds_a_name_and_a_number_and_nothing_else(number: str, name: str, caller_id: str) -> None:
    assert caller_id_of(OriginateRequest("PJSIP/a", number, name)) == caller_id


@pytest.mark.parametrize("number", ["+1 555", "1>", '"', "1\n", "x" * 81])
def test_caller_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(InvalidRequest):
        caller_id_of(OriginateRequest("PJSIP/a", number))


def test_arguments_are_joined_by_commas_and_hold_none() -> None:
    assert joined_arguments(("a=1", "b=two words")) == "a=1,b=two words"
    for wrong in ("a,b", "a\nb", " a"):
        with pytest.raises(InvalidRequest):
            joined_arguments((wrong,))


@pytest.mark.parametrize("application", ["", "a.b", "a b", "a,b", "x" * 65])
def test_application_name_that_would_blur_our_ids_is_refused(application: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_application(application)
