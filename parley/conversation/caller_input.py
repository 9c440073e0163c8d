"""What the caller does while a question is open: speech, keys, and whether they interrupt the agent.

The dialogue passes on what happens and then looks at the state: nothing here acts on the agent's voice.
"""

from __future__ import annotations

import logging

from parley.conversation.alarms import Alarm, Alarms
from parley.conversation.barge_in import BargeIn
from parley.conversation.caller_turn import CallerTurn, endpointer_for
from parley.conversation.endpointing import Decision
from parley.conversation.errors import EngineTimeout
from parley.conversation.flow.step import Listen
from parley.conversation.happenings import BlockHeard, Recognised
from parley.conversation.keypad import KeyEntry
from parley.conversation.listening import Listening
from parley.conversation.ports import (
    CallAudio,
    DigitHeard,
    RecognitionRequest,
    SpeechStarted,
    SpeechStopped,
    VoiceBurst,
    VoiceJudged,
)
from parley.conversation.settings import DialogueSettings, Engines
from parley.conversation.timings import samples_of

logger = logging.getLogger(__name__)

CallerHappening = SpeechStarted | SpeechStopped | BlockHeard | VoiceJudged | DigitHeard | Recognised


class CallerInput:
    """The answer to one question at a time, spoken or keyed; keys win over speech."""

    def __init__(
        self, audio: CallAudio, listening: Listening, alarms: Alarms, engines: Engines, settings: DialogueSettings
    ) -> None:
        """listening: already running."""
        self._audio = audio
        self._listening = listening
        self._alarms = alarms
        self._engines = engines
        self._settings = settings
        self._listen: Listen | None = None
        self._barge_in = self._no_burst()
        self._attended: VoiceBurst | None = None
        """The burst that the voice detector listens to."""
        self._voice_counts = False
        self._voice_start = 0
        self.turn: CallerTurn | None = None
        """What the caller is saying or has said."""
        self.keys: KeyEntry | None = None
        """What the caller is keying or has keyed."""

    # --- the question -------------------------------------------------------------------------------------

    def expect(self, listen: Listen | None) -> None:
        """Wait for the answer to another question, or for none; what the caller did before is forgotten."""
        self.drop_turn()
        self._alarms.cancel(Alarm.KEYS)
        self.keys = None
        self._listen = listen

    def drop_turn(self) -> None:
        """Forget what the caller says or has said."""
        if self.turn is not None:
            self.turn.abandon()
        self.turn = None
        self._stop_attending()
        self._barge_in = self._no_burst()
        self._voice_counts = False
        self._alarms.cancel(Alarm.ENDPOINT, Alarm.FINAL)

    def pause(self) -> None:
        """Forget an answer that goes on; one that is over, and waits for its transcript or to be used, is kept."""
        self._alarms.cancel(Alarm.KEYS)
        self.keys = None
        if self.turn is not None and self.turn.decided_at is None:
            self.drop_turn()

    @property
    def active(self) -> bool:
        """Whether the caller has begun an answer."""
        return self.turn is not None or self.keys is not None

    @property
    def interrupts(self) -> bool:
        """Whether what the caller does now stops an interruptible line."""
        return self.keys is not None or self._voice_counts

    @property
    def interrupting_since(self) -> int:
        """Position of the first sample (or key) of what interrupts."""
        if self.keys is not None and self.keys.last_key is not None:
            return self.keys.last_key
        return self._voice_start

    def take(self, happening: CallerHappening) -> None:
        """Take what the caller did."""
        match happening:
            case SpeechStarted(position):
                self._speech_started(position)
            case SpeechStopped(position):
                self._speech_stopped(position)
            case BlockHeard(end):
                self._block_heard(end)
            case VoiceJudged():
                self._voice_judged(happening)
            case DigitHeard(digit, position):
                self._key_pressed(digit, position)
            case Recognised(utterance, hypothesis):
                if self.turn is not None:
                    self.turn.recognised(utterance, hypothesis)

    def settled(self) -> None:
        """Everything that could be interrupted was: a voice that has stopped interrupts nothing later."""
        if self._barge_in.started is None:
            self._voice_counts = False

    # --- alarms -------------------------------------------------------------------------------------------

    def endpoint_reached(self, agent_speaking: bool) -> None:
        """The endpoint's alarm rang: decide. Words spoken wholly under the agent's are not an answer."""
        if self.turn is None:
            return
        decision = self.turn.decide(self._audio.position)
        if decision is Decision.GOES_ON:
            self._look_again()
        elif decision is Decision.NOISE or agent_speaking:
            self.drop_turn()
        else:
            deadline = samples_of(self._settings.final_deadline_ms, self._audio.rate_hz)
            self._alarms.set(Alarm.FINAL, self._audio.position + deadline)

    def final_is_late(self) -> None:
        """The recogniser's deadline has passed."""
        if self.turn is not None:
            self.turn.give_up(EngineTimeout("no final transcript in time"))

    def verdict_is_late(self) -> None:
        """The voice detector's deadline has passed: energy decides."""
        self._voice_counts = self._voice_counts or self._barge_in.verdict_missing()

    def keys_paused(self) -> None:
        """The alarm between keys rang."""
        if self.keys is not None:
            self.keys.decide(self._audio.position)

    # --- speech and keys ----------------------------------------------------------------------------------

    def _speech_started(self, position: int) -> None:
        if self._listen is None or self.keys is not None:
            return
        if self.turn is None:
            endpointer = endpointer_for(self._listen, self._settings.endpoint, self._audio.rate_hz)
            self.turn = CallerTurn(self._listening, self._request(self._listen), endpointer)
        self._alarms.cancel(Alarm.FINAL)
        self.turn.speech_started(position)
        self._barge_in.speech_started(position)
        self._attend(position)
        self._voice_start = position
        self._look_again()

    def _speech_stopped(self, position: int) -> None:
        if self.turn is None:
            return
        self.turn.speech_stopped(position)
        self._voice_counts = self._barge_in.speech_stopped(position)
        self._stop_attending()
        self._look_again()

    def _block_heard(self, end: int) -> None:
        """Look whether the caller's voice, going on, has become an interruption."""
        start = self._barge_in.started
        if start is None:
            return
        settings, rate_hz = self._settings.barge_in, self._audio.rate_hz
        tail = samples_of(settings.tail_ms, rate_hz)
        onset = self._listening.level_dbfs(start, start + samples_of(settings.min_speech_ms, rate_hz) - tail)
        latest = self._listening.level_dbfs(end - tail, end)
        self._voice_counts = self._voice_counts or self._barge_in.block_heard(end, onset, latest)

    def _attend(self, burst: int) -> None:
        """Have the voice detector, where there is one, listen to the burst that begins at this position."""
        self._stop_attending()
        if self._engines.voice_detector is None:
            return
        self._attended = self._listening.attend(self._engines.voice_detector, burst)
        settings = self._settings.barge_in
        wait = samples_of(settings.min_speech_ms + settings.confirm_ms, self._audio.rate_hz)
        self._alarms.set(Alarm.VOICE, burst + wait)

    def _stop_attending(self) -> None:
        self._alarms.cancel(Alarm.VOICE)
        if self._attended is not None:
            self._listening.stop_attending(self._attended)
        self._attended = None

    def _voice_judged(self, judged: VoiceJudged) -> None:
        """Take a verdict; those of bursts that are over say nothing about this one."""
        if self._attended is None or judged.burst != self._barge_in.started:
            return
        self._voice_counts = self._voice_counts or self._barge_in.judged(judged.is_voice)
        if judged.is_voice:
            self._stop_attending()
        else:
            self._alarms.cancel(Alarm.VOICE)

    def _key_pressed(self, digit: str, position: int) -> None:
        """Collect a key; speech that goes on is forgotten."""
        if self._listen is None or self._listen.keys is None:
            logger.debug("key ignored, none is expected")
            return
        self.drop_turn()
        if self.keys is None:
            self.keys = KeyEntry(self._listen.keys, self._audio.rate_hz)
        self.keys.press(digit, position)
        if self.keys.decide_at is not None:
            self._alarms.set(Alarm.KEYS, self.keys.decide_at)

    def _no_burst(self) -> BargeIn:
        settings = self._settings.barge_in
        return BargeIn(
            min_speech=samples_of(settings.min_speech_ms, self._audio.rate_hz),
            max_drop_db=settings.max_drop_db,
            is_judged=self._engines.voice_detector is not None,
        )

    def _look_again(self) -> None:
        if self.turn is not None and self.turn.decide_at is not None:
            self._alarms.set(Alarm.ENDPOINT, self.turn.decide_at)

    def _request(self, listen: Listen) -> RecognitionRequest:
        return RecognitionRequest(
            language=self._engines.language,
            rate_hz=self._audio.rate_hz,
            engine=self._engines.recognizer_engine,
            grammar=listen.grammar,
        )
