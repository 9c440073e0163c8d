"""Listen to the caller: keep the last moments of audio, and stream each utterance to the recogniser as it is spoken."""

from __future__ import annotations

import asyncio
from collections import deque

from media_core.pcm import level_dbfs
from parley.conversation.errors import EngineError, EngineTimeout
from parley.conversation.happenings import BlockHeard, Inbox, Recognised, RecognitionFailed
from parley.conversation.ports import (
    AudioBlock,
    CallAudio,
    RecognitionRequest,
    Recognizer,
    VoiceBurst,
    VoiceDetector,
)
from parley.conversation.streams import closing
from parley.conversation.timings import samples_of

RING_MS = 2000
"""Kept for pre-roll and for a look back at an onset."""
LEAD_IN_MS = 256
"""Audio before a burst that a voice detector hears too: it judges by what came before. Twice as much finds 1 voice in
80 sooner and costs twice as much."""
MAX_UTTERANCE_BLOCKS = 600
"""36 s in blocks of 60 ms. An utterance with holes is worth less than a late one, so nothing is dropped before."""


class UtteranceAudio:
    """The audio of one utterance, as the recogniser takes it."""

    def __init__(self) -> None:
        self._blocks: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=MAX_UTTERANCE_BLOCKS)
        self.ended = False

    def add(self, pcm: bytes) -> bool:
        """Add audio; returns False, and adds nothing, when the recogniser is too far behind."""
        if self.ended or not pcm:
            return True
        if self._blocks.qsize() >= MAX_UTTERANCE_BLOCKS - 1:
            return False
        self._blocks.put_nowait(pcm)
        return True

    def end(self) -> None:
        """No more audio comes. May be called twice."""
        if not self.ended:
            self.ended = True
            self._blocks.put_nowait(None)

    def __aiter__(self) -> UtteranceAudio:
        return self

    async def __anext__(self) -> bytes:
        block = await self._blocks.get()
        if block is None:
            raise StopAsyncIteration
        return block


class Utterance:
    """One utterance's recognition: hypotheses go to the inbox, exactly one final or one failure among them."""

    def __init__(self, number: int, recognizer: Recognizer, request: RecognitionRequest, inbox: Inbox) -> None:
        """number: unique in the call, names the utterance in the inbox."""
        self.number = number
        self.audio = UtteranceAudio()
        self._recognizer = recognizer
        self._request = request
        self._inbox = inbox
        self._task: asyncio.Task[None] | None = None

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Open the recognition stream."""
        self._task = tasks.create_task(self._recognize())

    def finish(self) -> None:
        """The caller has finished: the final hypothesis is wanted now."""
        self.audio.end()

    def abandon(self) -> None:
        """Free the engine; nothing more comes to the inbox from the engine. May be called twice."""
        self.audio.end()
        if self._task is not None:
            self._task.cancel()

    def fail(self, error: EngineError) -> None:
        """Give up with this error."""
        self.abandon()
        self._inbox.post(RecognitionFailed(self.number, error))

    async def _recognize(self) -> None:
        try:
            async with closing(self._recognizer.recognize(self._request, self.audio)) as hypotheses:
                async for hypothesis in hypotheses:
                    self._inbox.post(Recognised(self.number, hypothesis))
                    if hypothesis.final:
                        return
            raise EngineError("the recogniser ended without a final hypothesis")
        except EngineError as err:
            self._inbox.post(RecognitionFailed(self.number, err))


class Listening:
    """The caller's side of a call."""

    def __init__(
        self, audio: CallAudio, recognizer: Recognizer, inbox: Inbox, tasks: asyncio.TaskGroup, *, pre_roll_ms: int
    ) -> None:
        """tasks: the call's own; utterances run there.

        pre_roll_ms: audio before the start of speech that the recogniser gets.
        """
        self._audio = audio
        self._recognizer = recognizer
        self._inbox = inbox
        self._tasks = tasks
        self._pre_roll = samples_of(pre_roll_ms, audio.rate_hz)
        self._ring_blocks: deque[AudioBlock] = deque()
        self._ring = samples_of(RING_MS, audio.rate_hz)
        self._utterances: list[Utterance] = []
        self._bursts: list[VoiceBurst] = []
        self._opened = 0

    async def run(self) -> None:
        """Take the caller's audio until the peer is gone."""
        async for block in self._audio.blocks():
            self._take(block)

    def open(self, request: RecognitionRequest, speech_start: int) -> Utterance:
        """Begin to recognise an utterance whose speech starts at this position, now or a moment ago."""
        self._opened += 1
        utterance = Utterance(self._opened, self._recognizer, request, self._inbox)
        for block in self._ring_blocks:
            utterance.audio.add(_part(block, speech_start - self._pre_roll, block.position + len(block.pcm) // 2))
        self._utterances.append(utterance)
        utterance.start(self._tasks)
        return utterance

    def attend(self, detector: VoiceDetector, burst: int) -> VoiceBurst:
        """Let a voice detector listen to a burst that begins at this position; its verdicts go to the inbox."""
        attended = detector.attend(self._audio.rate_hz, burst, self._inbox.post)
        first = burst - samples_of(LEAD_IN_MS, self._audio.rate_hz)
        for block in self._ring_blocks:
            if pcm := _part(block, first, block.position + len(block.pcm) // 2):
                attended.hear(max(first, block.position), pcm)
        self._bursts.append(attended)
        return attended

    def stop_attending(self, attended: VoiceBurst) -> None:
        """Let the detector listen no longer. May be called twice."""
        attended.close()
        self._bursts = [burst for burst in self._bursts if burst is not attended]

    def level_dbfs(self, start: int, end: int) -> float:
        """Return the level of the caller's audio between two positions; -100 where it is not kept."""
        parts: list[bytes] = []
        # From the newest back, as far as needed: asked for with every block while the caller speaks over the agent.
        for block in reversed(self._ring_blocks):
            if block.position + len(block.pcm) // 2 <= start:
                break
            if block.position < end:
                parts.append(_part(block, start, end))
        return level_dbfs(b"".join(reversed(parts)))

    def _take(self, block: AudioBlock) -> None:
        end = block.position + len(block.pcm) // 2
        self._ring_blocks.append(block)
        while self._ring_blocks[0].position < end - self._ring:
            self._ring_blocks.popleft()
        self._utterances = [utterance for utterance in self._utterances if not utterance.audio.ended]
        for utterance in self._utterances:
            if not utterance.audio.add(block.pcm):
                utterance.fail(EngineTimeout("the recogniser does not keep up with the caller"))
        for burst in self._bursts:
            burst.hear(block.position, block.pcm)
        if self._utterances:
            self._inbox.post(BlockHeard(end))


def _part(block: AudioBlock, start: int, end: int) -> bytes:
    """Return the samples of a block that lie between two positions."""
    first, last = max(0, start - block.position), max(0, end - block.position)
    return block.pcm[first * 2 : last * 2]
