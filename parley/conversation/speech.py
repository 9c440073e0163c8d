"""Say one Step's sentences: each is synthesised while the one before it plays, and queued as its audio comes.

AgentVoice starts and stops a Speech; nothing else touches it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from parley.conversation.alarms import Alarm, Alarms
from parley.conversation.begun_sentence import BegunSentence, SkippedAudio
from parley.conversation.errors import EngineError, EngineTimeout, PromptError
from parley.conversation.happenings import Inbox, SpeechFailed, SpeechQueued
from parley.conversation.ports import CallAudio, SpeechChunk, SpeechRequest
from parley.conversation.recorded_prompts import prompt_audio
from parley.conversation.settings import Engines
from parley.conversation.sound_edges import SoundEdges
from parley.conversation.spoken import Sentence, SpokenSentence
from parley.conversation.streams import closing

logger = logging.getLogger(__name__)


class SpeechSource:
    """Where the audio of a sentence comes from: its recording, the synthesiser, or the one that took its place."""

    def __init__(self, engines: Engines, rate_hz: int) -> None:
        """rate_hz: of all audio that comes out."""
        fallback = engines.fallback_synthesizer
        self._synthesizers = [engines.synthesizer, *([fallback] if fallback is not None else [])]
        self._engines = engines
        self._rate_hz = rate_hz

    async def chunks(self, sentence: Sentence) -> AsyncIterator[SpeechChunk]:
        """Yield the sentence's audio as it becomes ready. Raises EngineError; closing the iterator frees the engine."""
        if sentence.recording:
            try:
                yield SpeechChunk(await prompt_audio(sentence.recording, self._rate_hz))
            except PromptError as err:
                logger.warning("recorded prompt cannot be played, it is synthesised", extra={"problem": str(err)})
            else:
                return
        async with closing(self._synthesizers[0].synthesize(self._request(sentence))) as chunks:
            async for chunk in chunks:
                yield chunk

    def fall_back(self) -> bool:
        """Give up the synthesiser that failed; return whether another takes its place for the rest of the call."""
        if len(self._synthesizers) == 1:
            return False
        del self._synthesizers[0]
        return True

    def _request(self, sentence: Sentence) -> SpeechRequest:
        return SpeechRequest(
            text=sentence.words.said,
            language=self._engines.language,
            voice=self._engines.voice,
            rate_hz=self._rate_hz,
            engine=self._engines.synthesizer_engine,
        )


class Speech:
    """Some sentences being said, one after the other."""

    def __init__(
        self,
        sentences: Sequence[Sentence],
        said: list[SpokenSentence],
        *,
        audio: CallAudio,
        alarms: Alarms,
        inbox: Inbox,
        source: SpeechSource,
        deadline: int,
        prepared: asyncio.Event,
        begun: BegunSentence | None = None,
    ) -> None:
        """Prepare; `run()` speaks.

        said: sentences are added here as they begin to be queued.   deadline: samples that the source may take
        for its next chunk.   prepared: set when the first audio is there, or there will be none.
        begun: what the caller has heard of the first sentence already.
        """
        self.sentences = sentences
        self._said = said
        self._audio = audio
        self._alarms = alarms
        self._inbox = inbox
        self._source = source
        self._deadline = deadline
        self._prepared = prepared
        self._begun_before = begun
        """Until its rest is queued."""
        self._spoken: list[SpokenSentence] = []
        """One for each sentence that began to be queued."""
        self._progress = asyncio.Event()
        self._waiting: asyncio.Timeout | None = None
        self._first_mark: int | None = None
        self._begun = False
        """A part of it is known to have gone out."""
        self.ready_at: int | None = None
        """Position at which its first audio was there."""
        self.first_sound: int | None = None
        """Position at which its first sample was handed to the PBX."""

    def sounding(self) -> int:
        """Return the index of the sentence that sounds now or is the next to sound; their number after the last."""
        played = self._audio.played_samples
        return next((i for i, spoken in enumerate(self._spoken) if not spoken.played_wholly(played)), len(self._spoken))

    def interrupted(self) -> BegunSentence | None:
        """Return what was heard of the sentence that sounds, after `SpokenSentence.cut`; None when nothing was."""
        index, played = self.sounding(), self._audio.played_samples
        spoken = self._spoken[index] if index < len(self._spoken) else None
        if spoken is None and index == 0 and self._begun_before is not None:
            return self._begun_before
        if spoken is None or spoken.heard_samples(played) <= 0:
            return None
        return BegunSentence(spoken, spoken.heard_samples(played), *spoken.interrupted_at(played))

    @property
    def done(self) -> bool:
        """Whether all of it has been played."""
        return self.sounding() == len(self.sentences)

    def playout_started(self, position: int) -> None:
        """Take note that audio goes out after a pause."""
        if self._first_mark is not None and not self._begun:
            self.first_sound = position

    def mark_reached(self, mark: int, position: int) -> None:
        """Take note of playout's progress: there may be room for the next sentence.

        The first sample is at PlayoutStarted, or where the audio before it ended, whichever comes last; after a
        very short pause neither is reported, and the end of the first chunk tells.
        """
        self._progress.set()
        if self._first_mark is None or self._begun:
            return
        if mark == self._first_mark:
            self.first_sound = position
        elif mark > self._first_mark:
            self._begun = True
            if self.first_sound is None:
                self.first_sound = position - (mark - self._first_mark)

    def late(self) -> None:
        """Give up waiting for the next chunk: its deadline has passed on the session clock."""
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def run(self, released: asyncio.Event) -> None:
        """Say everything; play nothing before `released`. Tells the inbox how it ended. Cancelling: stops at once."""
        try:
            for index, sentence in enumerate(self.sentences):
                while self.sounding() < index - 1:
                    self._progress.clear()
                    await self._progress.wait()
                await self._say(sentence, released)
        except EngineError as err:
            self._inbox.post(SpeechFailed(err, recovered=False))
        else:
            self._inbox.post(SpeechQueued())
        finally:
            self._prepared.set()

    async def _say(self, sentence: Sentence, released: asyncio.Event) -> None:
        """Say one sentence; when the synthesiser fails, say it again with the one that takes its place."""
        while True:
            try:
                await self._queue(sentence, released)
            except EngineError as err:
                if not self._source.fall_back():
                    raise
                self._inbox.post(SpeechFailed(err, recovered=True))
            else:
                return

    async def _queue(self, sentence: Sentence, released: asyncio.Event) -> None:
        spoken: SpokenSentence | None = None
        skipped = SkippedAudio(self._begun_before, self._audio.rate_hz)
        try:
            async with closing(self._source.chunks(sentence)) as chunks:
                while (chunk := await self._next(chunks)) is not None:
                    chunk = skipped.rest_of(chunk)
                    if chunk.pcm:
                        await self._ready(released)
                        spoken = self._play(chunk, sentence, spoken, skipped.samples)
            if (rest := skipped.at_the_end()).pcm:
                await self._ready(released)
                spoken = self._play(rest, sentence, spoken, skipped=0)
            if spoken is None:
                raise EngineError("the synthesiser gave no audio")
        except EngineError:
            if spoken is not None:
                self._spoken.remove(spoken)
            raise
        spoken.complete = True

    async def _next(self, chunks: AsyncIterator[SpeechChunk]) -> SpeechChunk | None:
        """Wait for the next chunk; None after the last. Raises EngineTimeout when `late()` is called meanwhile."""
        self._alarms.set(Alarm.SPEECH, self._audio.position + self._deadline)
        try:
            async with asyncio.timeout(None) as self._waiting:
                chunk = await anext(chunks, None)
        except TimeoutError as err:
            raise EngineTimeout("the synthesiser gave no audio in time") from err
        finally:
            self._waiting = None
        if chunk is not None and len(chunk.pcm) % 2:
            raise EngineError("the synthesiser gave half a sample")
        return chunk

    async def _ready(self, released: asyncio.Event) -> None:
        if self.ready_at is None:
            self.ready_at = self._audio.position
            self._prepared.set()
        await released.wait()

    def _play(
        self, chunk: SpeechChunk, sentence: Sentence, spoken: SpokenSentence | None, skipped: int
    ) -> SpokenSentence:
        """Queue a chunk and add it to its sentence, which begins with its first chunk.

        skipped: samples of the sentence before this chunk that are not played again.
        """
        samples = len(chunk.pcm) // 2
        start_mark = self._audio.play(chunk.pcm) - samples
        if self._first_mark is None:
            self._first_mark = start_mark
        if spoken is None:
            rate_hz = self._audio.rate_hz
            spoken = SpokenSentence(sentence.words, rate_hz, start_mark - skipped, skipped)
            spoken.sound = self._take_place(spoken) or SoundEdges(rate_hz)
            self._spoken.append(spoken)
        spoken.samples += samples
        if spoken.sound is not None:
            spoken.sound.feed(chunk.pcm)
        spoken.word_times.extend(chunk.alignment)
        return spoken

    def _take_place(self, spoken: SpokenSentence) -> SoundEdges | None:
        """Add a sentence to what was said; one that was begun before stands where it stood, with what was heard.

        Returns where such a one sounds, as far as that is known; None when it begins now.
        """
        begun, self._begun_before = self._begun_before, None
        if begun is None:
            self._said.append(spoken)
            return None
        spoken.heard_before = begun.heard_samples
        self._said[self._said.index(begun.spoken)] = spoken
        known = begun.spoken.sound
        if not spoken.samples or known is None:
            return None
        return SoundEdges(spoken.rate_hz, spoken.samples, known.begin)
