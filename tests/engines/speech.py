"""What a caller says in the tests: flite over a µ-law line."""

from __future__ import annotations

from media_core.g711 import ulaw_decode, ulaw_encode
from parley.conversation.ports import SpeechRequest
from parley.engines.flite_synthesizer import FliteSynthesizer
from tests.contract.synthesizer_contract import chunks_of

RATE_HZ = 8000
PAUSE = bytes(RATE_HZ // 4 * 2)
"""A quarter of a second."""

YES_OR_NO = "#JSGF V1.0; grammar answer; public <answer> = yes | yes please | no | no thank you | repeat that;"
ORDERS = """#JSGF V1.0; grammar answer; public <answer> = [<polite>] <order> [please];
<polite> = i would like to | i want to;
<order> = pay my bill | check my balance | make an appointment | track my order;"""


async def said(text: str, voice: str = "rms") -> bytes:
    """Return what comes over the line, with a pause before and after it."""
    (chunk,) = await chunks_of(FliteSynthesizer(), SpeechRequest(text, "en", voice, RATE_HZ))
    return ulaw_decode(ulaw_encode(PAUSE + chunk.pcm + PAUSE))
