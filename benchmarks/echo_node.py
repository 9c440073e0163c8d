"""A node that gives callers on a real Asterisk their own words back: what audio costs, without a conversation.

`python -m benchmarks.echo_node ARI_URL USERNAME CALLS`, the password on the first line of the standard input; run by
`media_beside_asterisk`. In it: the adapter to ARI with its dead-man timers, the media engine and `RtpAudio`, on uvloop
as in `parley serve`. Prints a line when it is ready, one for every further line of the input, and ends with the input.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator

import uvloop

from ari_app.call_control import AriCallControl
from audio_fork.audio_connection import AudioConnection
from benchmarks.rtp_servers import LONGEST_LIFE_S, say
from parley.app.audio_lines import AudioLines, RtpLines, audio_lines
from parley.app.settings_tables import MediaSettings
from parley.call_control import Leg, LegOffered


class EchoCalls:
    """The calls that go on."""

    def __init__(self, control: AriCallControl, lines: AudioLines, tasks: asyncio.TaskGroup) -> None:
        self._control = control
        self._lines = lines
        self._tasks = tasks
        self._audio: list[AudioConnection] = []

    async def take_up(self) -> None:
        """Answer everybody who calls."""
        async for event in self._control.events():
            if isinstance(event, LegOffered):
                self._tasks.create_task(self._echo(event.leg))

    async def _echo(self, leg: Leg) -> None:
        line = self._lines.open(leg.wideband)
        await self._control.attach_audio(leg.id, line.target, line.connect)
        await self._control.answer(leg.id)
        self._audio.append(line.audio)
        async for block in line.audio.blocks():
            line.audio.play(block.pcm)

    def report(self) -> None:
        """Tell how the calls' audio stands."""
        counts = [audio.stats() for audio in self._audio]
        engines = self._lines.engines if isinstance(self._lines, RtpLines) else ()
        say(
            media_ms=round(1000 * sum(engine.stats().cpu_s for engine in engines)),
            process_ms=round(1000 * time.process_time()),
            calls=len(counts),
            received=sum(count.received for count in counts),
            sent=sum(count.sent for count in counts),
            lost=sum(count.lost for count in counts),
            late=sum(count.late for count in counts),
            underruns=sum(count.underruns for count in counts),
            late_beats=sum(count.late_beats for count in counts),
            dropped_blocks=sum(count.dropped_blocks for count in counts),
        )


async def lines_of_input() -> AsyncIterator[str]:
    """Yield the lines of the standard input until its end."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().strip()


async def serve(url: str, username: str, calls: int) -> None:
    """Take up calls until the input ends."""
    inputs = lines_of_input()
    control = AriCallControl(url, username, await anext(inputs))
    async with audio_lines(MediaSettings(), None, calls=calls) as lines, asyncio.TaskGroup() as tasks:
        echo = EchoCalls(control, lines, tasks)
        await control.start()
        taking_up = tasks.create_task(echo.take_up())
        say(ready=True)
        async for _ in inputs:
            echo.report()
        taking_up.cancel()
        await control.aclose()
        os._exit(0)  # calls that still go on end with the process, as when a node dies


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("username")
    parser.add_argument("calls", type=int)
    options = parser.parse_args()
    signal.alarm(LONGEST_LIFE_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options.url, options.username, options.calls))


if __name__ == "__main__":
    main()
