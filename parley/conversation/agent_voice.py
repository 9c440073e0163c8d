"""The agent's voice in one call: says what the dialogue tells it and knows what of it was heard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from parley.conversation.alarms import Alarms
from parley.conversation.begun_sentence import BegunSentence
from parley.conversation.errors import EngineError
from parley.conversation.flow.step import Line
from parley.conversation.happenings import Inbox
from parley.conversation.ports import CallAudio
from parley.conversation.settings import Engines
from parley.conversation.speech import Speech, SpeechSource
from parley.conversation.spoken import Sentence, SpokenSentence, sentences_of
from parley.conversation.streams import closing
from parley.conversation.text.written_out import WrittenOut

logger = logging.getLogger(__name__)


class AgentVoice:
    """Says one turn's words at a time; silent until `release()`."""

    def __init__(
        self,
        audio: CallAudio,
        engines: Engines,
        alarms: Alarms,
        inbox: Inbox,
        tasks: asyncio.TaskGroup,
        *,
        deadline: int,
    ) -> None:
        """tasks: the call's own; what is started there ends with `close()`.

        deadline: samples that a synthesiser may take for its next piece of audio.
        """
        self._audio = audio
        self._alarms = alarms
        self._inbox = inbox
        self._tasks = tasks
        self._deadline = deadline
        self._language = engines.language
        self._source = SpeechSource(engines, audio.rate_hz)
        self._released = asyncio.Event()
        self._speech: Speech | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._first: Speech | None = None
        """What the turn began with; another one after `resume()`."""
        self._said: list[SpokenSentence] = []
        self._fillers = Fillers(engines.fillers, engines.language)
        self._early: list[SpokenSentence] = []
        """Fillers of the next turn, said before its words were known."""
        self._filler_task: asyncio.Task[None] | None = None
        self.prepared = asyncio.Event()
        """The first words can be played at once, or cannot be spoken at all."""

    # --- speaking -----------------------------------------------------------------------------------------

    def say(self, lines: Sequence[Line]) -> None:
        """Begin a turn's words; the last turn's are forgotten. Synthesis starts at once."""
        self._said, self._early = self._early, []
        self._first = self._start(sentences_of(lines, self._language))

    def release(self) -> None:
        """Let what is said be played from now on: the call was answered."""
        self._released.set()
        self._filler_task = self._tasks.create_task(self._fillers.prepare(self._source))

    def stop(self) -> None:
        """Fall silent now: what has not been played is not said."""
        if self._speaking is not None:
            self._speaking.cancel()
            self._speaking = None
        self._audio.clear()
        for spoken in self._said:
            spoken.cut(self._audio.played_samples)

    def resume(self, *, from_word: bool = False) -> None:
        """Go on after `stop()`, from the beginning of the sentence that was cut.

        from_word: from its first word that was not heard wholly.
        """
        if self._speech is None:
            return
        begun = self._speech.interrupted()
        if begun is not None and not from_word:
            begun = replace(begun, resume_at=0)
        self._said = [spoken for spoken in self._said if spoken.heard_samples(self._audio.played_samples) > 0]
        self._start(self._speech.sentences[self._speech.sounding() :], begun)

    def say_filler(self) -> int:
        """Play the next filler, if one is prepared; return its length in samples."""
        filler = self._fillers.next()
        if filler is None:
            return 0
        words, pcm = filler
        samples = len(pcm) // 2
        start_mark = self._audio.play(pcm) - samples
        said = self._said if self.speaking else self._early
        said.append(SpokenSentence(words, self._audio.rate_hz, start_mark, samples, complete=True))
        return samples

    @property
    def filler_coming(self) -> bool:
        """Whether a filler that is not there yet may still come."""
        return self._fillers.coming

    def late(self) -> None:
        """The synthesiser's deadline has passed: give up what is being waited for."""
        if self._speech is not None:
            self._speech.late()

    def playout_started(self, position: int) -> None:
        """Take note that audio goes out after a pause."""
        if self._speech is not None:
            self._speech.playout_started(position)

    def mark_reached(self, mark: int, position: int) -> None:
        """Take note that everything up to this mark has gone out."""
        if self._speech is not None:
            self._speech.mark_reached(mark, position)

    # --- what is heard ------------------------------------------------------------------------------------

    @property
    def speaking(self) -> bool:
        """Whether any of the turn's words are still to be heard."""
        return self._speaking is not None and self._speech is not None and not self._speech.done

    @property
    def interruptible(self) -> bool:
        """Whether the sentence that sounds now, or is the next to sound, may be interrupted."""
        if self._speech is None or self._speech.done:
            return True
        return self._speech.sentences[self._speech.sounding()].interruptible

    @property
    def at_last_sentence(self) -> bool:
        """Whether the turn's last sentence, its question, sounds, was cut, or has been said."""
        return self._speech is None or self._speech.sounding() >= len(self._speech.sentences) - 1

    def heard(self) -> str:
        """Return the turn's words that the caller has heard so far."""
        played = self._audio.played_samples
        return " ".join(text for spoken in self._said if (text := spoken.heard(played)))

    @property
    def ready_at(self) -> int | None:
        """Position at which the turn's first audio was there."""
        return None if self._first is None else self._first.ready_at

    @property
    def first_sound(self) -> int | None:
        """Position at which the turn's first sample was handed to the PBX; fillers do not count."""
        return None if self._first is None else self._first.first_sound

    def close(self) -> None:
        """Stop everything. May be called twice."""
        for task in (self._speaking, self._filler_task):
            if task is not None:
                task.cancel()

    def _start(self, sentences: Sequence[Sentence], begun: BegunSentence | None = None) -> Speech:
        speech = Speech(
            sentences,
            self._said,
            audio=self._audio,
            alarms=self._alarms,
            inbox=self._inbox,
            source=self._source,
            deadline=self._deadline,
            prepared=self.prepared,
            begun=begun,
        )
        self._speech = speech
        self._speaking = self._tasks.create_task(speech.run(self._released))
        return speech


class Fillers:
    """Short lines, synthesised ahead, that bridge a long wait."""

    def __init__(self, lines: Sequence[Line], language: str) -> None:
        """lines: said in turn."""
        self._sentences = sentences_of(lines, language)
        self._prepared: list[tuple[WrittenOut, bytes]] = []
        self._said = 0
        self.coming = False
        """Fillers are being made."""

    async def prepare(self, source: SpeechSource) -> None:
        """Synthesise all; those that fail are left out."""
        self.coming = True
        try:
            for sentence in self._sentences:
                await self._make(sentence, source)
        finally:
            self.coming = False

    async def _make(self, sentence: Sentence, source: SpeechSource) -> None:
        try:
            async with closing(source.chunks(sentence)) as chunks:
                pcm = b"".join([chunk.pcm async for chunk in chunks])
        except EngineError as err:
            logger.warning("filler cannot be synthesised", extra={"code": err.code})
        else:
            self._prepared.append((sentence.words, pcm))

    def next(self) -> tuple[WrittenOut, bytes] | None:
        """Return the next filler's words and audio; None while none is prepared."""
        if not self._prepared:
            return None
        self._said += 1
        return self._prepared[(self._said - 1) % len(self._prepared)]
