"""How fast offers beyond the limit are refused when 200 of them come within a second, on a real Asterisk.

`python -m benchmarks.flood [--offers 200]` fills a node (max_calls = 2), then dials 200 numbers in one second. Measured
at the phone: INVITE to the dialplan's own refusal, which follows PARLEY_STATUS=BUSY. Beside it what the same INVITEs
take in a dialplan that never asks Parley.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.processes import usage_of
from benchmarks.results import write_results
from tests.e2e.site import DIALPLAN, NUMBER_LINE, SETTINGS, Node, serving
from tests.support.asterisk import Asterisk
from tests.support.phone_call import CallFailed, PhoneCall
from tests.support.sip_phone import SipPhone

REFUSED, PLAIN = "830", "831"
FLOOD_DIALPLAN = f"""{DIALPLAN}
exten => {REFUSED},1,Gosub(parley,s,1(agent=number))
 same => n,GotoIf($["${{PARLEY_STATUS}}" = "BUSY"]?full)
 same => n,Hangup(21)
 same => n(full),Hangup(17)
; What Asterisk itself takes.
exten => {PLAIN},1,Set(PARLEY_STATUS=BUSY)
 same => n,Hangup(17)
"""
TAKEN = 2
WITHIN_S = 1.0
BUSY_HERE = 486
TARGET_MS = 100.0


async def flood(phone: SipPhone, number: str, offers: int) -> list[PhoneCall]:
    """Dial so many times, spread evenly over a second, and wait until every call is over."""
    begun_s = time.monotonic()
    calls = []
    for offer in range(offers):
        await asyncio.sleep(max(0.0, begun_s + offer * WITHIN_S / offers - time.monotonic()))
        calls.append(phone.dial(number))
    for call in calls:
        await call.wait_ended(20.0)
    return calls


def refused_ms(calls: list[PhoneCall]) -> list[float]:
    """Return how long each refusal took. Raises CallFailed when a call ended in any other way."""
    others = {call.final_code for call in calls} - {BUSY_HERE}
    if others:
        raise CallFailed(f"not every offer was refused as busy: {sorted(others)}")
    return [((call.ended_at or 0.0) - call.created_at) * 1000 for call in calls]


async def measure(pbx: Asterisk, node: Node, offers: int) -> list[dict[str, object]]:
    """Flood a full node, and the dialplan alone."""
    server = (pbx.sip_host, pbx.sip_port)
    async with SipPhone("15550100", server=server) as taken, SipPhone("15550199", server=server) as phone:
        held = [await taken.call(NUMBER_LINE) for _ in range(TAKEN)]
        before, pbx_before, own_before = usage_of(node.process.pid), usage_of(pbx.pid), usage_of(os.getpid())
        waits = refused_ms(await flood(phone, REFUSED, offers))
        after, pbx_after, own_after = usage_of(node.process.pid), usage_of(pbx.pid), usage_of(os.getpid())
        kept = sum(1 for call in held if not call.is_ended)
        plain = refused_ms(await flood(phone, PLAIN, offers))
    cases: list[dict[str, object]] = []
    for percentile in (50, 95, 100):
        value, peer = (float(np.percentile(found, percentile)) for found in (waits, plain))
        case: dict[str, object] = {"case": f"refusal, p{percentile}", "value": round(value, 1), "unit": "ms"}
        case |= {"peer": "dialplan without Parley", "peer_value": round(peer, 1)}
        cases.append(case | ({"target": TARGET_MS, "met": value <= TARGET_MS} if percentile < 100 else {}))
    for name, first, last in (
        ("node", before, after),
        ("Asterisk", pbx_before, pbx_after),
        ("phones", own_before, own_after),
    ):
        used_ms = (last.cpu_s - first.cpu_s) * 1000 / offers
        cases.append({"case": name, "value": round(used_ms, 2), "unit": "ms CPU per offer"})
    cases.append({"case": "calls in progress that went on", "value": kept, "unit": f"of {TAKEN}", "met": kept == TAKEN})
    return cases


async def main() -> None:
    """Run it, print a table, write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=200)
    options = parser.parse_args()
    settings = f"{SETTINGS}[limits]\nmax_calls = {TAKEN}\n"
    with tempfile.TemporaryDirectory(prefix="parley-flood-") as folder:
        async with (
            # Without the tests' overlay, which logs every step of the dialplan.
            Asterisk(overlays=(), additions={"extensions.conf": FLOOD_DIALPLAN}, life_s=120) as pbx,
            serving(pbx, Path(folder), settings) as node,
        ):
            cases = await measure(pbx, node, options.offers)
            version = pbx.program.version
    for case in cases:
        print(
            f"{case['case']:32} {case['value']:>8} {case['unit']:20} {case.get('peer_value', '')} {case.get('met', '')}"
        )
    write_results("flood", cases, "aiohttp", asterisk=version)


if __name__ == "__main__":
    asyncio.run(main())
