"""A real Asterisk with SIP phones as a bench of the contract suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ari_app import AriCallControl, AriRefused, AriRest
from ari_app.backoff import Backoff
from ari_app.connection import LOGIN_CHECK_S
from parley.call_control import CallControl, HangupCause, LegId
from tests.contract.benches import ARGUMENTS, CALLER, DEADLINE_S, DIALLED, SITE_NOTE, Party, until
from tests.support.asterisk import Asterisk
from tests.support.sip_phone import PhoneCall, SipPhone

DIALPLAN = f"""
[from-trunk](+)
exten => {DIALLED},1,Set(SITE_NOTE={SITE_NOTE})
 same => n,Stasis(parley,{",".join(ARGUMENTS).replace(";", chr(92) + ";")})
 same => n,Answer()
 same => n,Echo()
; The dead-man test: where extension T answers a call, and says so by staying.
[contract-fallback]
exten => 930,1,Stasis(parley,agent=reception)
 same => n,Hangup()
exten => T,1,Set(TIMEOUT(absolute)=0)
 same => n,Set(CONTRACT_FELL_BACK=yes)
 same => n,Answer()
 same => n,Echo()
[from-trunk](+)
exten => 930,1,Goto(contract-fallback,930,1)
; What extension h sees of our variables.
exten => h,1,Set(GLOBAL(CONTRACT_AFTER_HANGUP)=${{PARLEY_OUTCOME}})
; The called phone, for a caller who then connects us with it. Blind transfers of callers of 942 go to this context.
exten => 941,1,Dial(PJSIP/agent1)
exten => 942,1,Set(TRANSFER_CONTEXT=contract-transfers)
 same => n,Stasis(parley,agent=reception)
 same => n,Hangup()
exten => 943,1,Gosub(parley,s,1(agent=reception))
 same => n,Hangup()
; The called phone when Parley is dead.
exten => 944,1,Gosub(parley,s,1(agent=reception))
 same => n,Dial(PJSIP/agent1)
[contract-moved]
exten => s,1,Answer()
 same => n,Echo()
[contract-transfers]
exten => 1,1,Dial(PJSIP/agent1)
 same => n,Hangup()
[from-trunk](+)
; Another node.
exten => 940,1,Stasis(parley-b)
 same => n,Hangup()
"""
REFUSALS = {HangupCause.USER_BUSY: 486, HangupCause.CALL_REJECTED: 603}


def contract_asterisk() -> Asterisk:
    """Return an Asterisk with the contract suite's dialplan, not yet started."""
    return Asterisk(
        # The console's `channel redirect`, an operator's way to move a caller.
        additions={"extensions.conf": DIALPLAN, "modules.conf": "load = res_clioriginate.so\n"},
        settings={
            (
                "ari.conf",
                "general",
                "channelvars",
            ): "SITE_NOTE,CHANNEL(linkedid),CALLERID(dnid),CHANNEL(audionativeformat)"
        },
        life_s=120,
    )


@asynccontextmanager
async def connected(
    pbx: Asterisk,
    application: str = "parley",
    dead_man_s: float = 10.0,
    retake: Backoff | None = None,
    transfers_by_us: bool | None = None,
    login_check_s: float = LOGIN_CHECK_S,
) -> AsyncIterator[AriCallControl]:
    """Connect an adapter to this Asterisk."""
    url = f"{pbx.ari_url}/ari"
    control = AriCallControl(
        *(url, pbx.ari_username, pbx.ari_password, application),
        dead_man_s=dead_man_s,
        retake=retake,
        transfers_by_us=transfers_by_us,
        login_check_s=login_check_s,
    )
    try:
        await control.start()
        yield control
    finally:
        await control.aclose()


class PhoneParty:
    """Somebody at a SIP phone."""

    def __init__(self, call: PhoneCall) -> None:
        self.call = call

    async def press(self, keys: str) -> None:
        await self.call.press(keys, duration_ms=80)

    async def hang_up(self) -> None:
        await self.call.hangup()

    async def hold(self) -> None:
        await self.call.hold()

    async def retrieve(self) -> None:
        await self.call.resume()

    async def ring(self) -> None:
        self.call.ring()

    async def answer(self) -> None:
        await self.call.answer()

    async def refuse(self, cause: HangupCause) -> None:
        self.call.reject(REFUSALS[cause])

    async def let_it_ring(self) -> None:
        self.call.ring()
        await self.call.wait_ended(DEADLINE_S)

    async def hears_ringing(self) -> bool:
        await self.call.wait_ringing(DEADLINE_S)
        return True

    async def is_answered(self) -> bool:
        await self.call.wait_answered(DEADLINE_S)
        return True

    async def is_ended(self) -> bool:
        await self.call.wait_ended(DEADLINE_S)
        return True

    async def heard_keys(self, count: int) -> str:
        async def arrived() -> bool:
            return len(self.call.keys) >= count

        await until(arrived)
        return self.call.keys


class AsteriskBench:
    """A running Asterisk, a caller's phone at the trunk and a phone that we can call."""

    destination = "PJSIP/agent1"

    def __init__(self, pbx: Asterisk, control: CallControl, rest: AriRest, caller: SipPhone, called: SipPhone) -> None:
        self._pbx = pbx
        self.control = control
        self.rest = rest
        """A client of its own, to see what the adapter has done."""
        self.caller = caller
        self._called = called

    @property
    def major(self) -> int:
        """The first number of Asterisk's version, as its program tells it."""
        return self._pbx.program.major

    async def dial(self, name: str = "") -> Party:
        return PhoneParty(self.caller.dial(DIALLED, name=name))

    async def called_party(self) -> PhoneParty:
        return PhoneParty(await self._called.next_call(DEADLINE_S))

    async def takes_the_place_of(self, party: Party) -> Party:
        """Let a party call somebody, connect us with them and go."""
        assert isinstance(party, PhoneParty)
        await party.hold()
        first = self.caller.dial("941")
        other = await self.called_party()
        await other.answer()
        await first.wait_answered()
        first.connect_with(party.call)
        return other

    async def variable(self, leg_id: LegId, name: str) -> str:
        return await self.rest.get_variable(leg_id, name)

    async def redirect(self, leg_id: LegId, place: str) -> None:
        """Move a channel to `context,extension,priority`, as an operator does."""
        [name] = [channel.name for channel in await self.rest.channels() if channel.id == leg_id]
        answer = await self._pbx.cli(f"channel redirect {name} {place}")
        assert "successfully redirected" in answer, answer

    async def channel_ids(self) -> list[str]:
        """Return the ids of all channels of Asterisk."""
        return [channel.id for channel in await self.rest.channels()]

    async def seen_by_extension_h(self) -> str:
        """Return what extension h has found in PARLEY_OUTCOME at the end of the latest call."""
        shown = await self._pbx.cli("dialplan show globals")
        return next((line.partition("=")[2] for line in shown.splitlines() if "CONTRACT_AFTER_HANGUP" in line), "")

    async def nothing_is_left(self) -> bool:
        """Wait until Asterisk has neither channels nor bridges; False when some stay."""

        async def empty() -> bool:
            return not await self.rest.channels() and not await self.rest.bridges()

        return await until(empty)


@asynccontextmanager
async def asterisk_bench(pbx: Asterisk) -> AsyncIterator[AsteriskBench]:
    """Connect phones and an adapter to a running Asterisk; at the end every call is over."""
    rest = AriRest(f"{pbx.ari_url}/ari", pbx.ari_username, pbx.ari_password)
    server = (pbx.sip_host, pbx.sip_port)
    try:
        async with (
            SipPhone(CALLER, server=server) as caller,
            SipPhone("agent1", server=server, port=pbx.ports.agent(1)) as called,
            connected(pbx) as control,
        ):
            yield AsteriskBench(pbx, control, rest, caller, called)
    finally:
        for channel in await rest.channels():
            with suppress(AriRefused):
                await rest.hangup(channel.id)
        await rest.aclose()
