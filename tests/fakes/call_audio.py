"""A call's audio in virtual time: the test is the caller, the phone and the clock.

Unit tests of the conversation use it where audio_fork stands in production; one contract suite holds both to the
same behaviour.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from media_core.events import (
    AlarmReached,
    AudioBlock,
    AudioEvent,
    DigitHeard,
    MarkReached,
    PeerGone,
    PlayoutStarted,
    SpeechStarted,
    SpeechStopped,
)

FRAME_MS = 20
BLOCK_MS = 60
MAX_BLOCKS = 3
"""Blocks kept for a consumer that lags: 180 ms."""
SETTLE_ROUNDS = 30
"""Turns of the event loop after every frame: what the frame set off has happened before the next one."""


@dataclass(frozen=True, slots=True)
class Played:
    """An unbroken piece of what went to the phone."""

    position: int
    pcm: bytes

    @property
    def end(self) -> int:
        """Position one past the last sample."""
        return self.position + len(self.pcm) // 2


@dataclass(frozen=True, slots=True)
class _CallerSpeech:
    start: int
    pcm: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.pcm) // 2


class FakeCallAudio:
    """CallAudio whose clock moves only in `advance()`.

    The caller's voice comes from `caller_speaks()` or `caller_says()`; the voice detector is exact and as slow as
    `onset_ms` and `hangover_ms` say. Whatever else should be reported goes in by `emit()`.
    """

    def __init__(
        self,
        rate_hz: int = 8000,
        *,
        onset_ms: int = 60,
        hangover_ms: int = 140,
        each_frame: Callable[[int], None] | None = None,
    ) -> None:
        """Start at position 0.

        each_frame: called with FRAME_MS whenever that much time has passed; winds the test's other clocks.
        """
        self._rate_hz = rate_hz
        self._onset = onset_ms * rate_hz // 1000
        self._hangover = hangover_ms * rate_hz // 1000
        self._each_frame = each_frame
        self._position = 0
        self._played_samples = 0
        self._queue = bytearray()
        self._marks: list[int] = []
        self._alarm: int | None = None
        self._idle = True
        self._speech: list[_CallerSpeech] = []
        self._voice: tuple[int, int] | None = None
        self._voice_reported = False
        self._block = bytearray()
        self._blocks: asyncio.Queue[AudioBlock | None] = asyncio.Queue()
        self._events: asyncio.Queue[AudioEvent | None] = asyncio.Queue()
        self.closed = False
        self.dropped_blocks = 0
        self.played: list[Played] = []
        """What went to the phone, in order; idle silence left out."""
        self.cleared_at: list[int] = []
        """Positions at which `clear()` was called."""

    # --- the port -----------------------------------------------------------------------------------------

    @property
    def rate_hz(self) -> int:
        """Rate of all PCM in and out."""
        return self._rate_hz

    @property
    def position(self) -> int:
        """Now, on the session clock."""
        return self._position

    @property
    def played_samples(self) -> int:
        """How many samples given to `play()` have gone to the phone."""
        return self._played_samples

    async def blocks(self) -> AsyncIterator[AudioBlock]:
        """Yield the caller's audio until the peer is gone."""
        while (block := await self._blocks.get()) is not None:
            yield block
        self._blocks.put_nowait(None)

    async def events(self) -> AsyncIterator[AudioEvent]:
        """Yield events in order until PeerGone or `aclose()`."""
        while (event := await self._events.get()) is not None:
            yield event
        self._events.put_nowait(None)

    def play(self, pcm: bytes) -> int:
        """Queue audio and return its mark. Raises ValueError for half a sample."""
        if len(pcm) % 2:
            raise ValueError("PCM of 16 bits has an even number of octets")
        mark = self._played_samples + (len(self._queue) + len(pcm)) // 2
        if not self.closed:
            self._queue += pcm
            self._marks.append(mark)
        return mark

    def clear(self) -> None:
        """Drop what is queued."""
        self.cleared_at.append(self._position)
        self._queue.clear()
        self._marks.clear()
        self._idle = True

    def set_alarm(self, position: int) -> None:
        """Ask for AlarmReached at this position."""
        self._alarm = position
        self._ring_alarm()

    async def aclose(self) -> None:
        """End both streams."""
        self._close()

    # --- what the test does -------------------------------------------------------------------------------

    def caller_speaks(self, start_ms: int, end_ms: int) -> None:
        """Let the caller make a voice-like sound between two times of the session clock (now or later)."""
        half_period = self._rate_hz // 400
        period = b"\x40\x1f" * half_period + b"\xc0\xe0" * half_period
        size = (end_ms - start_ms) * self._rate_hz // 1000 * 2
        self.caller_says(start_ms, (period * (size // len(period) + 1))[:size])

    def caller_says(self, start_ms: int, pcm: bytes) -> None:
        """Let the caller say this from a time of the session clock (now or later)."""
        start = start_ms * self._rate_hz // 1000
        if start < self._position:
            raise ValueError(f"{start_ms} ms is past: the session clock shows {self.position_ms} ms")
        self._speech.append(_CallerSpeech(start, pcm))

    def presses(self, digit: str) -> None:
        """Report a key heard in the media now."""
        self.emit(DigitHeard(digit, self._position))

    def emit(self, event: AudioEvent) -> None:
        """Report an event by hand."""
        if self.closed:
            return
        self._events.put_nowait(event)
        if isinstance(event, PeerGone):
            self._close()

    async def advance(self, ms: int) -> None:
        """Let time pass in frames of 20 ms; after each one everything it set off has happened.

        Raises ValueError unless `ms` is a whole number of frames.
        """
        if ms % FRAME_MS:
            raise ValueError(f"time passes in frames of {FRAME_MS} ms, {ms} ms is not a whole number of them")
        await settle()
        for _ in range(ms // FRAME_MS):
            self._pass_frame()
            await settle()

    async def advance_until(self, condition: Callable[[], bool], limit_ms: int = 60_000) -> None:
        """Let time pass until the condition holds. Raises TimeoutError when it does not within `limit_ms`."""
        await settle()
        for _ in range(limit_ms // FRAME_MS):
            if condition():
                return
            await self.advance(FRAME_MS)
        if not condition():
            raise TimeoutError(f"not so within {limit_ms} ms of virtual time")

    # --- what the test looks at ---------------------------------------------------------------------------

    @property
    def position_ms(self) -> int:
        """Now, in ms."""
        return self._position * 1000 // self._rate_hz

    @property
    def queued_samples(self) -> int:
        """Samples waiting to be played."""
        return len(self._queue) // 2

    @property
    def played_pcm(self) -> bytes:
        """Everything that went to the phone, pauses taken out."""
        return b"".join(piece.pcm for piece in self.played)

    def heard(self, start_ms: int, end_ms: int) -> bytes:
        """Return what the phone got between two times, idle silence included."""
        start, end = (ms * self._rate_hz // 1000 for ms in (start_ms, end_ms))
        return _mix(start, end - start, [(piece.position, piece.pcm) for piece in self.played])

    # --- one frame ----------------------------------------------------------------------------------------

    def _pass_frame(self) -> None:
        frame = FRAME_MS * self._rate_hz // 1000
        if self._each_frame is not None:
            self._each_frame(FRAME_MS)
        self._position += frame
        if self.closed:
            return
        self._listen(frame)
        self._watch_voice(frame)
        self._send(frame)
        self._ring_alarm()

    def _listen(self, frame: int) -> None:
        spoken = [(speech.start, speech.pcm) for speech in self._speech]
        self._block += _mix(self._position - frame, frame, spoken)
        if len(self._block) >= BLOCK_MS * self._rate_hz // 1000 * 2:
            if self._blocks.qsize() >= MAX_BLOCKS:
                self._blocks.get_nowait()
                self.dropped_blocks += 1
            self._blocks.put_nowait(AudioBlock(self._position - len(self._block) // 2, bytes(self._block)))
            self._block.clear()

    def _watch_voice(self, frame: int) -> None:
        now, before = self._position, self._position - frame
        for speech in self._speech:
            if speech.start < now and speech.end > before:
                start, end = self._voice or (max(speech.start, before), before)
                self._voice = (start, max(end, min(speech.end, now)))
        if self._voice is None:
            return
        start, end = self._voice
        if not self._voice_reported and end - start >= self._onset:
            self._voice_reported = True
            self.emit(SpeechStarted(start))
        if now - end >= self._hangover:
            if self._voice_reported:
                self.emit(SpeechStopped(end))
            self._voice, self._voice_reported = None, False

    def _send(self, frame: int) -> None:
        pcm = bytes(self._queue[: frame * 2])
        del self._queue[: frame * 2]
        if pcm:
            if self._idle:
                self.emit(PlayoutStarted(self._position))
                self.played.append(Played(self._position, pcm))
            else:
                self.played[-1] = Played(self.played[-1].position, self.played[-1].pcm + pcm)
            self._played_samples += len(pcm) // 2
        self._idle = len(pcm) < frame * 2
        while self._marks and self._marks[0] <= self._played_samples:
            mark = self._marks.pop(0)
            self.emit(MarkReached(mark, self._position + len(pcm) // 2 - (self._played_samples - mark)))

    def _ring_alarm(self) -> None:
        if self._alarm is not None and self._position >= self._alarm:
            self.emit(AlarmReached(self._alarm))
            self._alarm = None

    def _close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._queue.clear()
        self._marks.clear()
        self._blocks.put_nowait(None)
        self._events.put_nowait(None)


async def settle() -> None:
    """Give every task that can run now its turns."""
    for _ in range(SETTLE_ROUNDS):
        await asyncio.sleep(0)


def _mix(start: int, samples: int, pieces: list[tuple[int, bytes]]) -> bytes:
    """Lay pieces (position, PCM) over `samples` of silence from position `start`."""
    pcm = bytearray(samples * 2)
    for position, piece in pieces:
        first = max(position, start)
        last = min(position + len(piece) // 2, start + samples)
        if first < last:
            pcm[(first - start) * 2 : (last - start) * 2] = piece[(first - position) * 2 : (last - position) * 2]
    return bytes(pcm)
