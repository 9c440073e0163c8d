"""A scriptable SIP phone: calls, answers, speaks, presses keys and remembers what it heard and when.

For tests, the demo and benchmarks on loopback: UDP without retransmission, G.711, one media clock for all calls.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.support.phone_call import CallFailed, PhoneCall
from tests.support.phone_codec import ALAW, ULAW, PhoneCodec
from tests.support.phone_media import MediaClock, MediaStream
from tests.support.sip_dialog import Dialog, Headers, dialog_of_invite, fresh_token, reply
from tests.support.sip_message import MalformedSip, NameAddress, SipMessage, sip_uri

__all__ = ["ALAW", "ULAW", "CallFailed", "PhoneCall", "SipPhone"]

_MOST_UNANSWERED_CALLS = 200


class SipPhone:
    """A phone: `async with SipPhone("caller", server=(pbx.sip_host, pbx.sip_port)) as phone`."""

    def __init__(
        self,
        user: str,
        *,
        server: tuple[str, int],
        port: int = 0,
        host: str = "127.0.0.1",
        codecs: Sequence[PhoneCodec] = (ULAW, ALAW),
    ) -> None:
        """Prepare a phone.

        user: its number or account, the user part of From.   server: the PBX.
        port: UDP port to listen at, 0 for any.   codecs: in order of preference.
        """
        self.user = user
        self.host = host
        self.port = port
        self.calls: list[PhoneCall] = []
        """Every call of this phone, past ones included."""
        self._server = server
        self._codecs = tuple(codecs)
        self._clock = MediaClock()
        self._by_id: dict[str, PhoneCall] = {}
        self._offered: asyncio.Queue[PhoneCall] = asyncio.Queue(_MOST_UNANSWERED_CALLS)
        self._transport: asyncio.DatagramTransport | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Listen for calls and start the media clock."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Receiver(self), local_addr=(self.host, self.port)
        )
        self.port = self._transport.get_extra_info("sockname")[1]
        self._ticking = asyncio.create_task(self._clock.run(), name=f"media clock of {self.user}")

    async def aclose(self) -> None:
        """Hang up everything, accept nothing more and stop. May be called twice."""
        ticking, self._ticking = self._ticking, None
        await self.hang_up_all()
        for call in self.calls:
            call.media.close()
        if ticking is not None:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking
        if self._transport is not None:
            self._transport.close()
            # The transport closes its socket in the loop's next round.
            await asyncio.sleep(0)

    async def hang_up_all(self) -> None:
        """End every call of this phone."""
        await asyncio.gather(*(call.hangup() for call in self.calls))

    def dial(self, number: str, *, name: str = "", caller: str = "", headers: Headers = ()) -> PhoneCall:
        """Call a number and return at once.

        name: display name in From.   caller: number in From instead of the phone's own.
        headers: further headers of the INVITE.
        """
        server_host, server_port = self._server
        target = sip_uri(number, server_host, server_port)
        dialog = Dialog(
            local=NameAddress(sip_uri(caller or self.user, self.host, self.port), name, fresh_token()),
            remote=NameAddress(target),
            target=target,
            contact=self._contact,
            host=self.host,
            port=self.port,
        )
        call = self._add(dialog)
        call.start(headers)
        return call

    async def call(self, number: str, *, name: str = "", caller: str = "", timeout_s: float = 10.0) -> PhoneCall:
        """Call a number and wait for the answer. Raises CallFailed."""
        call = self.dial(number, name=name, caller=caller)
        await call.wait_answered(timeout_s)
        return call

    async def next_call(self, timeout_s: float = 10.0) -> PhoneCall:
        """Wait for an incoming call, not yet ringing. Raises CallFailed."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._offered.get()
        except TimeoutError as error:
            raise CallFailed(f"nobody called {self.user} within {timeout_s} s") from error

    @property
    def _contact(self) -> str:
        return sip_uri(self.user, self.host, self.port)

    def _add(self, dialog: Dialog) -> PhoneCall:
        media = MediaStream(self.host)
        call = PhoneCall(dialog, media, self._codecs, self._send)
        self._clock.streams.add(media)
        self.calls.append(call)
        self._by_id[dialog.call_id] = call
        return call

    def _send(self, message: SipMessage) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(message.encode(), self._server)

    def received(self, octets: bytes) -> None:
        """Act on a datagram; what is no SIP message is ignored."""
        try:
            message = SipMessage.parse(octets)
        except MalformedSip:
            return
        call = self._by_id.get(message.call_id)
        if call is not None and message.is_request:
            call.take_request(message)
        elif call is not None:
            call.take_response(message)
        elif message.is_request and message.method == "INVITE" and self._ticking is not None:
            dialog = dialog_of_invite(message, contact=self._contact, host=self.host, port=self.port)
            call = self._add(dialog)
            call.take_request(message)
            self._offered.put_nowait(call)
        elif message.is_request and message.method != "ACK":
            code, reason = (200, "OK") if message.method == "OPTIONS" else (481, "Call Does Not Exist")
            self._send(reply(message, code, reason, message.header("To")))


class _Receiver(asyncio.DatagramProtocol):
    """Hands datagrams to the phone."""

    def __init__(self, phone: SipPhone) -> None:
        self._phone = phone

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        self._phone.received(data)
