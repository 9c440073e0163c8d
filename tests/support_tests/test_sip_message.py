import pytest

from tests.support.sip_message import AudioDescription, MalformedSip, NameAddress, SipMessage, sip_uri

INVITE = (
    b"INVITE sip:agent1@127.0.0.1:5081 SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n"
    b'f: "A, \\"B\\" <C>" <sip:%2B1555@127.0.0.1>;tag=abc\r\n'
    b"To: <sip:agent1@127.0.0.1>\r\nCall-ID: 42\r\nCSeq: 7 INVITE\r\n\r\nbody"
)


def test_compact_header_names_are_understood() -> None:
    message = SipMessage.parse(INVITE)
    assert message.header("Via").endswith("z9hG4bK1")
    assert message.cseq == (7, "INVITE")
    assert message.body == "body"


def test_quoted_name_keeps_commas_quotes_and_angle_brackets() -> None:
    caller = NameAddress.parse(SipMessage.parse(INVITE).header("From"))
    assert caller.name == 'A, "B" <C>'
    assert caller.user == "+1555"
    assert caller.tag == "abc"


@pytest.mark.parametrize("name", ['say "hi"', "back\\slash", "a;tag=evil", "<sip:x@y>", ""])
def test_any_name_survives_writing_and_parsing(name: str) -> None:
    assert NameAddress.parse(str(NameAddress(sip_uri("1", "h", 5), name, "t"))) == NameAddress("sip:1@h:5", name, "t")


def test_unquoted_name_and_bare_address_are_understood() -> None:
    assert NameAddress.parse("Bob <sip:bob@h>;tag=1") == NameAddress("sip:bob@h", "Bob", "1")
    assert NameAddress.parse("sip:bob@h;tag=1") == NameAddress("sip:bob@h", "", "1")


def test_written_message_parses_to_itself() -> None:
    message = SipMessage("SIP/2.0 200 OK", (("Call-ID", "1"), ("CSeq", "1 BYE")), "ünï")
    again = SipMessage.parse(message.encode())
    assert (again.start_line, again.body, again.code, again.method) == ("SIP/2.0 200 OK", "ünï", 200, "BYE")
    assert again.header("Content-Length") == "5"


@pytest.mark.parametrize("octets", [b"", b"\r\n\r\n", b"hello", b"OPTIONS sip:x SIP/2.0\r\nno colon here\r\n\r\n"])
def test_what_is_no_sip_message_is_refused(octets: bytes) -> None:
    with pytest.raises(MalformedSip):
        SipMessage.parse(octets)


def test_written_description_parses_to_itself() -> None:
    maps = {8: "PCMA/8000", 101: "telephone-event/8000"}
    description = AudioDescription("127.0.0.1", 4000, (8, 101), 101, "sendonly", maps)
    assert AudioDescription.parse(description.encode(1, 2)) == description


def test_body_without_audio_has_no_description() -> None:
    assert AudioDescription.parse("v=0\r\nc=IN IP4 1.2.3.4\r\nm=image 5 udptl t38\r\n") is None
