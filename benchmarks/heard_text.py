"""Words wrong in history after interruptions, on each transport, judged by what the caller's phone recorded.

`python -m benchmarks.heard_text [--utterances 200]` lets callers dial a real Asterisk. The agent's voice says
utterances in which every word is a tone of its own and is stopped at a random moment. What the voice then calls heard
is held against the tones on the phone's recording: with word times as an engine gives them, and without.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from benchmarks.heard_words import LONGEST_S, Judgement, ToneWords, judge, utterance
from benchmarks.results import write_results
from media_core.events import MarkReached, PlayoutStarted
from parley.app.audio_lines import AudioLine, audio_lines
from parley.app.settings_tables import MediaSettings
from parley.call_control import LegAnswered, LegOffered
from parley.conversation.agent_voice import AgentVoice
from parley.conversation.alarms import Alarms
from parley.conversation.flow.step import Line
from parley.conversation.happenings import Inbox
from parley.conversation.ports import SpeechChunk, SpeechRequest
from parley.conversation.settings import Engines
from tests.contract.asterisk_bench import DIALPLAN, AsteriskBench, asterisk_bench
from tests.contract.benches import listening
from tests.fakes.recognizer import FakeRecognizer
from tests.support.asterisk import Asterisk, require_asterisk
from tests.support.phone_call import PhoneCall
from tests.support.phone_codec import Samples
from tests.support.phone_media import REANCHOR_S
from tests.support.recording import Recording

WAYS = ("rtp ulaw", "websocket slin16", "audiosocket slin")
CALLS = 8
"""At once; each says its share of the utterances."""
SETTLE_S = 0.35
"""After an utterance was stopped: for what is still on its way, and a clear pause on the recording."""
EARLY_S = REANCHOR_S
"""The phone lays packets that come late by their time stamps: up to so long before they came, or were asked for."""
DEADLINE = 32_000
CHANNEL_VARIABLES = "SITE_NOTE,CHANNEL(linkedid),CALLERID(dnid),CHANNEL(audionativeformat)"


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance that was interrupted."""

    text: str
    heard: str
    """What history would hold."""
    begun_s: float
    ended_s: float
    aligned: bool


class Canned:
    """A synthesiser of tone words; one in two utterances comes without word times, as most engines have none."""

    def __init__(self) -> None:
        self.aligned = True

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk]:
        """Yield the whole utterance in chunks of 200 ms."""
        words = ToneWords(request.text, request.rate_hz)
        size = request.rate_hz // 5
        for at in range(0, len(words.pcm) // 2, size):
            times = [word for word in words.times if at <= word.start_samples < at + size] if self.aligned else []
            yield SpeechChunk(words.pcm[at * 2 : (at + size) * 2], times)


@asynccontextmanager
async def calls_over(bench: AsteriskBench, way: str) -> AsyncIterator[list[tuple[PhoneCall, AudioLine]]]:
    """Let the callers dial, one after the other, and answer them."""
    transport, codec = way.split()
    media = MediaSettings.model_validate({"transport": transport, "codec": codec})
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(listening(bench.control))
        media = media.model_copy(update={"audiosocket_port": 0})
        lines = await stack.enter_async_context(audio_lines(media, None, calls=CALLS))
        calls = []
        for _ in range(CALLS):
            line = lines.open(wideband=False)
            stack.push_async_callback(line.audio.aclose)
            phone = bench.caller.dial("920")
            leg_id = (await log.next(LegOffered)).leg.id
            await bench.control.attach_audio(leg_id, line.target, line.connect)
            await bench.control.answer(leg_id)
            await log.next(LegAnswered)
            await phone.wait_answered()
            calls.append((phone, line))
        yield calls
        for phone, _ in calls:
            await phone.hangup()


async def follow(line: AudioLine, voice: AgentVoice) -> None:
    """Tell the voice how far it has been played."""
    async for event in line.audio.events():
        match event:
            case MarkReached(mark, position):
                voice.mark_reached(mark, position)
            case PlayoutStarted():
                voice.playout_started(event.position)


async def interrupt(line: AudioLine, count: int, seed: int) -> list[Said]:
    """Say so many utterances on one call, each stopped at a random moment; return what was made of them."""
    rng, canned, said = random.Random(seed), Canned(), []
    async with asyncio.TaskGroup() as tasks:
        engines = Engines(FakeRecognizer(), canned)
        voice = AgentVoice(line.audio, engines, Alarms(line.audio), Inbox(), tasks, deadline=DEADLINE)
        voice.release()
        following = tasks.create_task(follow(line, voice))
        for number in range(count):
            text = utterance(rng)
            canned.aligned = number % 2 == 0
            begun_s = time.monotonic()
            voice.say([Line(text, as_written=True)])
            await asyncio.sleep(rng.uniform(0.15, LONGEST_S))
            voice.stop()
            await asyncio.sleep(SETTLE_S)
            said.append(Said(text, voice.heard(), begun_s, time.monotonic(), canned.aligned))
        voice.close()
        following.cancel()
    return said


async def measure(bench: AsteriskBench, way: str, utterances: int) -> dict[bool, Judgement]:
    """Return the judgement of this way's utterances, by whether the engine gave word times."""
    share = -(-2 * utterances // CALLS)
    judged = {True: Judgement(), False: Judgement()}
    async with calls_over(bench, way) as calls:
        said = await asyncio.gather(
            *(interrupt(line, share, seed) for seed, (_, line) in enumerate(calls, start=len(way) * 1000))
        )
        for (phone, _), several in zip(calls, said, strict=True):
            for one in several:
                judged[one.aligned] += judge(one.text, one.heard, recording_of(one, phone.heard))
    return judged


def recording_of(one: Said, phone: Recording) -> Samples:
    """Return what the phone recorded of an utterance: all of it, and nothing of the one before or behind it."""
    return phone.samples(one.begun_s - EARLY_S, one.ended_s - EARLY_S)


def cases_of(way: str, judged: dict[bool, Judgement]) -> list[dict[str, object]]:
    """Return the figures of one way for the results, and print them."""
    cases: list[dict[str, object]] = []
    for aligned, one in judged.items():
        name = f"{way}, {'word times' if aligned else 'no word times'}"
        print(
            f"{name:34}{one.utterances:>6} utterances {one.heard:>6} words heard "
            f"{one.remaining:>5} unheard remain {one.lost:>5} heard lost  lacking ms: {sorted(one.lacking_ms)}",
            flush=True,
        )
        wrong = {"case": f"{name}: words wrong", "value": one.remaining + one.lost, "unit": f"of {one.words}"}
        cases.append(wrong | ({"target": 0, "met": one.remaining + one.lost == 0} if aligned else {}))
        cases.append(
            {"case": f"{name}: utterances with a wrong word", "value": one.wrong, "unit": f"of {one.utterances}"}
        )
    return cases


async def main(arguments: Sequence[str] | None = None) -> None:
    """Run it, print a table, write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--utterances", type=int, default=200, help="interrupted ones for each way, with times and without"
    )
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    options = parser.parse_args(arguments)
    require_asterisk()
    pbx = Asterisk(
        additions={"extensions.conf": DIALPLAN},
        settings={("ari.conf", "general", "channelvars"): CHANNEL_VARIABLES},
        life_s=900,
    )
    cases: list[dict[str, object]] = []
    async with pbx:
        for way in options.ways:
            async with asterisk_bench(pbx) as bench:
                cases += cases_of(way, await measure(bench, way, options.utterances))
    print(write_results("heard_text", cases, asterisk=str(pbx.program.major)))


if __name__ == "__main__":
    asyncio.run(main())
