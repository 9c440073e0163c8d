"""The simulated queue agent: a desk phone that rings, hears the summary, takes the call and says hello."""

from __future__ import annotations

import asyncio
import time

from demo.ear import Ear
from demo.performance import Handover
from demo.timeline import Timeline
from tests.support.phone_call import PhoneCall
from tests.support.sip_phone import SipPhone
from tests.support.speech import caller_says

RING_S = 1.0
VOICE = "awb"
GREETING = "Good morning, this is the reception. I see you want to come on Thursday."
CALLER_REPLY = "Yes, that is right. Thank you very much."


async def take_call(phone: SipPhone, handover: Handover, timeline: Timeline) -> PhoneCall:
    """Answer the next call, listen to the whispered summary, greet the caller; return the call."""
    call = await phone.next_call(timeout_s=120.0)
    handover.rang_s = time.monotonic()
    timeline.add("queue agent", "phone rings", handover.rang_s)
    await call.answer(ring_s=RING_S)
    handover.answered_s = time.monotonic()
    timeline.add("queue agent", "answers", handover.answered_s)
    handover.whisper_ended_s = await Ear(call).speech_ends(handover.answered_s, quiet_s=0.5)
    timeline.add("queue agent", "has heard the whispered summary", handover.whisper_ended_s)
    handover.agent_words = caller_says(GREETING, VOICE)
    playback = call.play(handover.agent_words)
    await playback.finished.wait()
    handover.agent_spoke = (playback.started_at or 0.0, time.monotonic())
    timeline.add("queue agent", GREETING, handover.agent_spoke[0])
    return call


async def talk(caller: PhoneCall, agent: PhoneCall, handover: Handover, timeline: Timeline) -> None:
    """Let the caller answer the queue agent; then the queue agent hangs up."""
    await asyncio.sleep(0.4)
    handover.caller_words = caller_says(CALLER_REPLY)
    playback = caller.play(handover.caller_words)
    await playback.finished.wait()
    timeline.add("caller", CALLER_REPLY, playback.started_at)
    await asyncio.sleep(0.5)
    handover.heard = agent.heard
    await agent.hangup()
    timeline.add("queue agent", "hangs up")
