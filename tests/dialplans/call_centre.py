"""What the dialplan tests share: test numbers, a whisper, a caller's phone and two queue agents' phones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.asterisk import Asterisk
from tests.support.hearing import Heard, heard
from tests.support.recording import save_wav
from tests.support.sip_phone import CallFailed, PhoneCall, SipPhone
from tests.support.speech import caller_says

CALLER_WORDS = "I would like to know where my order is."
RING_S = 0.3
AGENT_WORDS = "Good morning, this is Anna speaking."
SUMMARY_WORDS = "A caller asks about a late order."

TEST_DIALPLAN = """
[globals](+)
PARLEY_NODES = parley-a&parley-b

#include examples.conf

[from-trunk](+)
; 801: the caller wants a person, and Parley has left a whisper. 802: the whisper's file is missing.
; 803: the queue does not exist. 804: members are phones themselves, Queue()'s argument. 805: the same, queues.conf.
; 806: the caller's name decides. 809: the whisper's name has a comma. 810: to a number, with hostile characters.
; 811: to a number, where the site names no context for numbers.
exten => _8[01][0-9],1,Answer()
 same => n,Set(PARLEY_STATUS=TRANSFER)
 same => n,Set(PARLEY_TRANSFER_TO=support)
 same => n,Set(PARLEY_WHISPER=@WHISPERS@/summary)
 same => n,Set(PARLEY_SUMMARY=${CALLERID(name)})
 same => n,Set(PARLEY_SLOT_name=${CALLERID(name)})
 same => n,Goto(test-${EXTEN},s,1)
; 807: arguments on their way to a node. 808: the first three minutes without a queue agent, in two seconds.
exten => 807,1,Gosub(parley,s,1(agent=reception,language=zh,greeting=Hello there))
 same => n,UserEvent(Returned)
 same => n,Set(GLOBAL(LAST_STATUS)=${PARLEY_STATUS})
 same => n,Hangup(${IF($["${PARLEY_STATUS}" = "BUSY"]?34:17)})
exten => 808,1,Answer()
 same => n,Gosub(parley-transfer,s,1(1))
 same => n,Playback(vm-nobodyavail)
 same => n,Hangup()

[test-801]
exten => s,1,Gosub(parley-transfer,s,1)
[test-802]
exten => s,1,Set(PARLEY_WHISPER=@WHISPERS@/missing)
 same => n,Gosub(parley-transfer,s,1)
[test-803]
exten => s,1,Set(PARLEY_TRANSFER_TO=no such queue)
 same => n,Gosub(parley-transfer,s,1)
[test-804]
exten => s,1,Set(__PARLEY_WHISPER=${PARLEY_WHISPER})
 same => n,Queue(direct,,,,@GOSUB_COMMAS@,parley-whisper-direct)
[test-805]
exten => s,1,Set(PARLEY_TRANSFER_TO=direct-gosub)
 same => n,Gosub(parley-transfer,s,1)
[test-806]
exten => s,1,Set(PARLEY_WHISPER=${CALLERID(name)})
 same => n,Set(PARLEY_TRANSFER_TO=${CALLERID(name)})
 same => n,Gosub(parley-transfer,s,1)
[test-810]
exten => s,1,Set(PARLEY_TRANSFER_KIND=number)
 same => n,Set(PARLEY_TRANSFER_TO=+1 555,0199&PJSIP/agent1)
 same => n,Set(PARLEY_NUMBERS=outside)
 same => n,Gosub(parley-transfer,s,1)
[test-811]
exten => s,1,Set(PARLEY_TRANSFER_KIND=number)
 same => n,Set(PARLEY_TRANSFER_TO=+15550199)
 same => n,Gosub(parley-transfer,s,1)
[outside]
exten => +155501991,1,Dial(PJSIP/agent2)
[test-809]
exten => s,1,Set(PARLEY_WHISPER=@WHISPERS@/odd,name)
 same => n,Gosub(parley-transfer,s,1)
"""

TEST_QUEUES = """
[direct]
strategy = ringall
timeout = 20
member => PJSIP/agent1

[direct-gosub]
strategy = ringall
timeout = 20
membergosub = parley-whisper-direct
member => PJSIP/agent1
"""


def whisper_sounds(folder: Path) -> Path:
    """Write the whispered summary into the folder, under a plain name and an odd one, and return the folder."""
    for name in ("summary.wav", "odd,name.wav"):
        save_wav(folder / name, caller_says(SUMMARY_WORDS, "slt"))
    return folder


@dataclass(frozen=True, slots=True)
class CallCentre:
    """The people of a test."""

    caller: SipPhone
    agents: tuple[SipPhone, SipPhone]

    async def offered(self, timeout_s: float = 8.0) -> PhoneCall:
        """Wait until either queue agent is called, and let the phone ring."""
        waiting = {asyncio.create_task(agent.next_call(timeout_s + 60)) for agent in self.agents}
        done, others = await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if not done:
            raise CallFailed(f"no queue agent was called within {timeout_s} s")
        call = done.pop().result()
        call.ring()
        return call

    async def offered_and_answered(self) -> PhoneCall:
        """Wait until either queue agent is called, and answer as fast as a hand can.

        A phone that answers within the millisecond of its ringing has met Asterisk's one-way audio (seen once).
        """
        call = await self.offered()
        await call.answer(ring_s=RING_S)
        return call

    async def hang_up(self) -> None:
        """End every call, the caller's first."""
        for phone in (self.caller, *self.agents):
            await phone.hang_up_all()


async def talk(caller: PhoneCall, agent: PhoneCall) -> tuple[Heard, Heard]:
    """Let both speak at once; return what the agent heard of the caller, and the caller of the agent."""
    from_caller, from_agent = caller_says(CALLER_WORDS), caller_says(AGENT_WORDS, "slt")
    began_s = time.monotonic()
    await asyncio.gather(caller.say(from_caller), agent.say(from_agent))
    await asyncio.sleep(0.1)
    return heard(agent.heard.samples(began_s), from_caller), heard(caller.heard.samples(began_s), from_agent)


@asynccontextmanager
async def open_call_centre(pbx: Asterisk) -> AsyncIterator[CallCentre]:
    """Open the phones; closing hangs up whatever is left."""
    server = (pbx.sip_host, pbx.sip_port)
    async with (
        SipPhone("+15551234", server=server) as caller,
        SipPhone("agent1", server=server, port=pbx.ports.agent(1)) as first,
        SipPhone("agent2", server=server, port=pbx.ports.agent(2)) as second,
    ):
        yield CallCentre(caller, (first, second))
