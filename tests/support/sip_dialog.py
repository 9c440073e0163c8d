"""One SIP dialog's identity: builds its requests and responses (RFC 3261 §12), sends nothing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.sip_message import NameAddress, SipMessage

Headers = Sequence[tuple[str, str]]


def fresh_token() -> str:
    """Return a random tag, branch or id."""
    return secrets.token_hex(8)


@dataclass(slots=True)
class Dialog:
    """Who talks to whom, and the counters."""

    local: NameAddress
    remote: NameAddress
    target: str
    """Request-URI: the far side's contact once it is known."""
    contact: str
    host: str
    port: int
    call_id: str = field(default_factory=fresh_token)
    sequence: int = 1

    @property
    def replaces(self) -> str:
        """How others name this dialog to the far side (RFC 3891): its tag comes first."""
        return f"{self.call_id};to-tag={self.remote.tag};from-tag={self.local.tag}"

    def request(self, method: str, *, branch: str = "", headers: Headers = (), body: str = "") -> SipMessage:
        """Build a request; every one except ACK and CANCEL takes a new sequence number."""
        if method not in ("ACK", "CANCEL"):
            self.sequence += 1
        lines = [
            ("Via", f"SIP/2.0/UDP {self.host}:{self.port};branch={branch or 'z9hG4bK' + fresh_token()};rport"),
            ("Max-Forwards", "70"),
            ("From", str(self.local)),
            ("To", str(self.remote)),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.sequence} {method}"),
            ("Contact", f"<{self.contact}>"),
            *headers,
        ]
        if body:
            lines.append(("Content-Type", "application/sdp"))
        return SipMessage(f"{method} {self.target} SIP/2.0", tuple(lines), body)

    def response(self, request: SipMessage, code: int, reason: str, *, body: str = "") -> SipMessage:
        """Build the response to a request of the far side."""
        to = NameAddress.parse(request.header("To"))
        answered = NameAddress(to.uri, to.name, self.local.tag) if code > 100 else to
        return reply(request, code, reason, str(answered), contact=self.contact, body=body)

    def learn(self, response: SipMessage) -> None:
        """Take over the far side's tag and contact from a response that makes a dialog."""
        self.remote = NameAddress.parse(response.header("To"))
        contact = response.header("Contact")
        if contact:
            self.target = NameAddress.parse(contact).uri


def reply(request: SipMessage, code: int, reason: str, to: str, *, contact: str = "", body: str = "") -> SipMessage:
    """Build a response outside or inside a dialog."""
    lines = [("Via", value) for value in request.all_of("Via")]
    lines += [("From", request.header("From")), ("To", to), ("Call-ID", request.call_id)]
    lines.append(("CSeq", request.header("CSeq")))
    if contact:
        lines.append(("Contact", f"<{contact}>"))
    if body:
        lines.append(("Content-Type", "application/sdp"))
    return SipMessage(f"SIP/2.0 {code} {reason}", tuple(lines), body)


def dialog_of_invite(invite: SipMessage, *, contact: str, host: str, port: int) -> Dialog:
    """Return the dialog that an incoming INVITE opens."""
    to = NameAddress.parse(invite.header("To"))
    return Dialog(
        local=NameAddress(to.uri, to.name, fresh_token()),
        remote=NameAddress.parse(invite.header("From")),
        target=NameAddress.parse(invite.header("Contact")).uri,
        contact=contact,
        host=host,
        port=port,
        call_id=invite.call_id,
    )
