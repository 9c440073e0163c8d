"""One call of the test phone: its signalling as a small state machine, its sound as a MediaStream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from urllib.parse import quote

from tests.support.audio_negotiation import AudioNegotiation
from tests.support.phone_codec import PhoneCodec
from tests.support.phone_media import MediaStream, Playback
from tests.support.recording import Recording
from tests.support.sip_dialog import Dialog, Headers, fresh_token
from tests.support.sip_message import AudioDescription, NameAddress, SipMessage
from tests.support.waiting import first_of


class CallFailed(RuntimeError):
    """The far side refused, or did not do in time what the script waited for."""


class PhoneCall:
    """A call, incoming or outgoing. All times are `time.monotonic()` seconds."""

    def __init__(
        self, dialog: Dialog, media: MediaStream, codecs: Sequence[PhoneCodec], send: Callable[[SipMessage], None]
    ) -> None:
        self.media = media
        self.dialog = dialog
        self.invite: SipMessage | None = None
        """The incoming INVITE; None for a call that this phone made."""
        self.created_at = time.monotonic()
        self.rung_at: float | None = None
        """From when on the caller of our call hears ringing, their own phone's or the far side's."""
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.final_code = 0
        """Status code that ended our INVITE: 200, 486, ..."""
        self.end_reason = ""
        self.provisional_codes: list[int] = []
        self.reinvites_received = 0
        self.transfer_progress: list[str] = []
        """Status lines that NOTIFY brought after refer()."""
        self._negotiation = AudioNegotiation(dialog.host, media, codecs)
        self._transmit = send
        self._answered = asyncio.Event()
        self._ended = asyncio.Event()
        self._rung = asyncio.Event()
        self._invite_branch = ""
        self._acknowledgements: dict[int, SipMessage] = {}
        self._responses: dict[tuple[int, str], SipMessage] = {}
        self._reinvite: asyncio.Future[SipMessage] | None = None

    # -- what a script asks ----------------------------------------------------------------------------

    @property
    def heard(self) -> Recording:
        """What came out of this phone's earpiece."""
        return self.media.heard

    @property
    def said(self) -> Recording:
        """What went into its microphone; silence is not written."""
        return self.media.said

    @property
    def first_rx_at(self) -> float | None:
        """When the first packet of audio arrived."""
        return self.media.first_rx_at

    @property
    def keys(self) -> str:
        """Keys that the far side pressed."""
        return "".join(heard.key for heard in self.media.keys)

    @property
    def remote_name(self) -> str:
        """Display name of the far side."""
        return self.dialog.remote.name

    @property
    def remote_number(self) -> str:
        """Number of the far side."""
        return self.dialog.remote.user

    @property
    def is_answered(self) -> bool:
        """Tell whether the call was ever answered."""
        return self._answered.is_set()

    @property
    def is_ended(self) -> bool:
        """Tell whether the call is over."""
        return self._ended.is_set()

    def header(self, name: str) -> str:
        """Return a header of the incoming INVITE."""
        return self.invite.header(name) if self.invite is not None else ""

    async def wait_answered(self, timeout_s: float = 10.0) -> None:
        """Wait for the answer. Raises CallFailed when the call ends first, or after the time."""
        await first_of(self._answered, self._ended, timeout_s=timeout_s)
        if not self.is_answered:
            raise CallFailed(f"not answered: {self.end_reason or 'no answer in time'}")

    async def wait_ringing(self, timeout_s: float = 10.0) -> None:
        """Wait for 180 or 183. Raises CallFailed."""
        await first_of(self._rung, self._ended, timeout_s=timeout_s)
        if not self._rung.is_set():
            raise CallFailed(f"did not ring: {self.end_reason or 'nothing in time'}")

    async def wait_ended(self, timeout_s: float = 10.0) -> None:
        """Wait for the end. Raises CallFailed after the time."""
        await first_of(self._ended, timeout_s=timeout_s)
        if not self.is_ended:
            raise CallFailed("the call has not ended in time")

    # -- what a script does ----------------------------------------------------------------------------

    def ring(self) -> None:
        """Let an incoming call ring (180)."""
        self._respond(self._incoming(), 180, "Ringing")

    async def answer(self, ring_s: float = 0.0) -> None:
        """Answer an incoming call, after it has rung for so long. Raises CallFailed when it ended meanwhile."""
        if ring_s:
            self.ring()
            await asyncio.sleep(ring_s)
        if self.is_ended:
            raise CallFailed(f"ended before the answer: {self.end_reason}")
        offer = AudioDescription.parse(self._incoming().body)
        self._respond(self._incoming(), 200, "OK", body=self._negotiation.describe(offer))
        self._negotiation.use(offer)
        self._became_answered()

    def reject(self, code: int = 486) -> None:
        """Refuse an incoming call."""
        self._respond(self._incoming(), code, "Refused")
        self._finish(f"refused with {code}")

    def play(self, pcm: bytes, at_s: float | None = None) -> Playback:
        """Say something at 8 kHz after what is queued, and not before `at_s`; returns at once."""
        return self.media.play(pcm, at_s)

    async def say(self, pcm: bytes) -> Playback:
        """Say something and wait until it is out."""
        playback = self.play(pcm)
        await playback.finished.wait()
        return playback

    async def press(self, keys: str, duration_ms: int = 120) -> None:
        """Press keys one after another and wait until the last is released."""
        for key in keys:
            await self.media.press(key, duration_ms).wait()

    async def hold(self) -> None:
        """Put the far side on hold by re-INVITE. Raises CallFailed."""
        self._negotiation.direction = "sendonly"
        await self._renegotiate()

    async def resume(self) -> None:
        """Take the far side off hold. Raises CallFailed."""
        self._negotiation.direction = "sendrecv"
        await self._renegotiate()

    async def change_codec(self, codec: PhoneCodec) -> None:
        """Offer only this codec from now on, by re-INVITE. Raises CallFailed."""
        self._negotiation.codecs = (codec,)
        await self._renegotiate()

    def refer(self, uri: str) -> None:
        """Ask the far side to call somebody else instead of us (REFER); see transfer_progress."""
        headers = [("Refer-To", f"<{uri}>"), ("Referred-By", f"<{self.dialog.local.uri}>")]
        self._transmit(self.dialog.request("REFER", headers=headers))

    def connect_with(self, other: PhoneCall) -> None:
        """Connect the far ends of both calls with each other (REFER with Replaces); see transfer_progress."""
        target = NameAddress.parse(f"<{other.dialog.target}>").uri
        self.refer(f"{target}?Replaces={quote(other.dialog.replaces, safe='')}")

    async def hangup(self) -> None:
        """End the call: BYE when it was answered, else CANCEL or 603. May be called twice."""
        if self.is_ended:
            return
        if self.is_answered:
            self._transmit(self.dialog.request("BYE"))
            self._finish("hung up here")
        elif self.invite is not None:
            self.reject(603)
        else:
            self._transmit(self.dialog.request("CANCEL", branch=self._invite_branch))
            await first_of(self._ended, self._answered, timeout_s=2.0)
            if self.is_answered and not self.is_ended:
                # The CANCEL has crossed the answer.
                self._transmit(self.dialog.request("BYE"))
            self._finish("cancelled here")

    # -- called by SipPhone ----------------------------------------------------------------------------

    def start(self, headers: Headers) -> None:
        """Send the INVITE."""
        self._invite_branch = "z9hG4bK" + fresh_token()
        self.media.start_reading()
        body = self._negotiation.describe()
        self._transmit(self.dialog.request("INVITE", branch=self._invite_branch, headers=headers, body=body))

    def take_response(self, response: SipMessage) -> None:
        """Act on a response to one of our requests."""
        if response.method == "INVITE" and response.code < 200:
            self._progressed(response)
        elif response.method == "INVITE":
            self._concluded(response)
        elif response.method == "REFER":
            self.transfer_progress.append(response.start_line)

    def take_request(self, request: SipMessage) -> None:
        """Act on a request of the far side; a repeated one gets the same response again."""
        repeated = self._responses.get(request.cseq)
        if request.method == "ACK":
            return
        if repeated is not None:
            self._transmit(repeated)
        elif request.method == "INVITE":
            self._invited(request)
        elif request.method == "BYE":
            self._respond(request, 200, "OK")
            self._finish(f"hung up there {request.header('Reason')}".strip())
        elif request.method == "CANCEL":
            self._respond(request, 200, "OK")
            if not self.is_answered:
                self._respond(self._incoming(), 487, "Request Terminated")
                self._finish(f"cancelled there {request.header('Reason')}".strip())
        else:
            if request.method == "NOTIFY":
                self.transfer_progress.append(request.body.strip())
            self._respond(request, 200, "OK")

    # -- inside ----------------------------------------------------------------------------------------

    def _incoming(self) -> SipMessage:
        if self.invite is None:
            raise CallFailed("this phone made the call itself")
        return self.invite

    def _progressed(self, response: SipMessage) -> None:
        self.provisional_codes.append(response.code)
        if response.code > 100:
            self.rung_at = self.rung_at or time.monotonic()
            self._rung.set()
        description = AudioDescription.parse(response.body)
        if description is not None:
            self._negotiation.use(description)

    def _concluded(self, response: SipMessage) -> None:
        number = response.cseq[0]
        repeated = self._acknowledgements.get(number)
        if repeated is not None:
            self._transmit(repeated)
            return
        accepted = response.code < 300
        self.dialog.learn(response)
        # The ACK of a refusal belongs to the INVITE's own transaction (RFC 3261 §17.1.1.3).
        acknowledgement = self.dialog.request("ACK", branch="" if accepted else self._invite_branch)
        self._acknowledgements[number] = acknowledgement
        self._transmit(acknowledgement)
        if accepted:
            self._negotiation.use(AudioDescription.parse(response.body))
        if self._reinvite is not None and not self._reinvite.done():
            self._reinvite.set_result(response)
        elif accepted:
            self.final_code = response.code
            self._became_answered()
        else:
            self.final_code = response.code
            self._finish(f"refused: {response.start_line} {response.header('Reason')}".strip())

    def _invited(self, request: SipMessage) -> None:
        if self.invite is None and not self.is_answered:
            self.invite = request
            self.media.start_reading()
            self._respond(request, 100, "Trying")
            return
        self.reinvites_received += 1
        offer = AudioDescription.parse(request.body)
        self._respond(request, 200, "OK", body=self._negotiation.describe(offer))
        self._negotiation.use(offer)

    async def _renegotiate(self) -> None:
        if self.is_ended or not self.is_answered:
            raise CallFailed("there is no conversation to change")
        self._reinvite = asyncio.get_running_loop().create_future()
        self._invite_branch = "z9hG4bK" + fresh_token()
        body = self._negotiation.describe()
        self._transmit(self.dialog.request("INVITE", branch=self._invite_branch, body=body))
        try:
            async with asyncio.timeout(5.0):
                response = await self._reinvite
        except TimeoutError as error:
            raise CallFailed("no answer to the re-INVITE") from error
        finally:
            self._reinvite = None
        if response.code >= 300:
            raise CallFailed(f"the re-INVITE was refused: {response.start_line}")

    def _respond(self, request: SipMessage, code: int, reason: str, *, body: str = "") -> None:
        response = self.dialog.response(request, code, reason, body=body)
        self._responses[request.cseq] = response
        self._transmit(response)

    def _became_answered(self) -> None:
        if not self.is_answered:
            self.answered_at = time.monotonic()
            self._answered.set()

    def _finish(self, reason: str) -> None:
        if not self.is_ended:
            self.end_reason, self.ended_at = reason, time.monotonic()
            self.media.close()
            self._ended.set()
