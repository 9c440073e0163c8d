"""Perform a call script on a call: say, listen, answer, until the script hands the caller on.

CallSession runs one. Whatever happens is taken one after the other from the inbox; all waiting is done by alarms on
the session clock.
"""

from __future__ import annotations

import asyncio
import logging

from parley.conversation.agent_voice import AgentVoice
from parley.conversation.alarms import Alarm, Alarms
from parley.conversation.backchannels import Backchannel, backchannel_in
from parley.conversation.caller_input import CallerHappening, CallerInput
from parley.conversation.caller_turn import CallerTurn
from parley.conversation.ending import DialogueEnd, early_end, scripted_end
from parley.conversation.errors import EngineError
from parley.conversation.flow.step import GoOn, HangUp, Listen, Step, Transfer
from parley.conversation.happenings import (
    Answered,
    BlockHeard,
    ControlLost,
    DrainAsked,
    Happening,
    Held,
    HungUp,
    Inbox,
    Recognised,
    RecognitionFailed,
    Replaced,
    Retrieved,
    SpeechFailed,
    TakenAway,
)
from parley.conversation.history import History
from parley.conversation.journal import Journal
from parley.conversation.keypad import KeyEntry
from parley.conversation.listening import Listening
from parley.conversation.ports import (
    AlarmReached,
    CallAudio,
    DigitHeard,
    MarkReached,
    PeerGone,
    PlayoutStarted,
    Script,
    SpeechStarted,
    SpeechStopped,
    VoiceJudged,
)
from parley.conversation.record import PARTY_REPLACED, CallNote, EndReason, Turn
from parley.conversation.resume_point import ResumePoint, Resumption
from parley.conversation.settings import DialogueSettings, Engines
from parley.conversation.timings import ms_of, samples_of
from parley.conversation.turns import (
    BegunTurn,
    Interruption,
    greeting,
    interrupted_turn,
    keyed_turn,
    silent_turn,
    spoken_turn,
)

logger = logging.getLogger(__name__)


class Dialogue:
    """One call's conversation."""

    def __init__(
        self,
        audio: CallAudio,
        script: Script,
        engines: Engines,
        *,
        journal: Journal,
        inbox: Inbox,
        tasks: asyncio.TaskGroup,
        settings: DialogueSettings,
        resumption: Resumption | None = None,
    ) -> None:
        """inbox: audio events and whatever the call runner tells come from there.   tasks: the call's own.

        resumption: of a call that another process has begun; the script is then a restored one.
        """
        rate_hz = audio.rate_hz
        self._audio = audio
        self._script = script
        self._journal = journal
        self._inbox = inbox
        self._settings = settings
        self._language = engines.language
        self._alarms = Alarms(audio)
        deadline = samples_of(settings.speech_deadline_ms, rate_hz)
        self.voice = AgentVoice(audio, engines, self._alarms, inbox, tasks, deadline=deadline)
        self.listening = Listening(audio, engines.recognizer, inbox, tasks, pre_roll_ms=settings.pre_roll_ms)
        self._caller = CallerInput(audio, self.listening, self._alarms, engines, settings)
        self._resumption = resumption
        interrupted = None if resumption is None else interrupted_turn(resumption.turn, resumption.passed_ms, rate_hz)
        self.history = History(interrupted)
        self.talking = asyncio.Event()
        """The call was answered."""
        self._then: Listen | Transfer | HangUp | GoOn | None = None
        self._saying = False
        self._played_until = 0
        """Position one past the last sample known to have gone out."""
        self._said_at = 0
        """Position at which the agent fell silent."""
        self._interruption: Interruption | None = None
        """The agent was interrupted, and the interruption has not been answered yet."""
        self._may_resume = True
        self._on_hold = False
        self._cut_by_hold = False
        self._here_since = 0
        """Position from which on what is heard comes from the caller, not from a hold."""
        self._engine_failures = 0
        self._end: DialogueEnd | None = None

    async def run(self) -> DialogueEnd:
        """Prepare the greeting, then talk until the script hands the caller on or the call ends otherwise.

        Nothing is played before Answered. Cancelling: stops at once; `close()` releases.
        """
        rate_hz = self._audio.rate_hz
        begun = greeting(rate_hz) if self._resumption is None else silent_turn("", self._audio.position, rate_hz)
        self._perform(self._script.start(), begun)
        while self._end is None:
            self._take(await self._inbox.next())
            if self.talking.is_set() and not self._on_hold and self._end is None:
                self._settle()
        if (finished := self._end_turn()) is not None:
            self._journal.turn_ended(finished)
        return self._end

    @property
    def resume_point(self) -> ResumePoint | None:
        """Where another process could take the conversation up now; None while the script asks nothing."""
        state, turn = self._script.state, self.history.open_turn
        return None if state is None or turn is None else ResumePoint(state, turn)

    def close(self) -> None:
        """Stop speaking and listening. May be called twice."""
        self._caller.expect(None)
        self.voice.close()

    # --- what happens -------------------------------------------------------------------------------------

    def _take(self, happening: Happening) -> None:
        match happening:
            case SpeechStarted() | SpeechStopped() | BlockHeard() | VoiceJudged() | DigitHeard() | Recognised():
                if self._is_meant_for_us(happening):
                    self._caller.take(happening)
            case RecognitionFailed(utterance, error):
                self._recognition_failed(utterance, error)
            case AlarmReached():
                for alarm in self._alarms.due(self._audio.position):
                    self._ring(alarm)
            case PlayoutStarted():
                self.voice.playout_started(happening.position)
            case MarkReached(mark, position):
                self._played_until = position
                self.voice.mark_reached(mark, position)
            case SpeechFailed(error, recovered):
                self._speech_failed(error, recovered)
            case HungUp() | TakenAway() | ControlLost() | DrainAsked() | PeerGone():
                self.voice.stop()
                self._end = early_end(happening)
                if isinstance(happening, PeerGone):
                    self._note("audio_lost", reason=happening.reason)
            case _:
                self._take_call(happening)

    def _take_call(self, happening: Happening) -> None:
        """Take what the call runner tells and what does not end the call."""
        match happening:
            case Answered():
                self._answered()
            case Held():
                self._held()
            case Retrieved():
                self._retrieved()
            case Replaced(leg_id):
                self._replaced(leg_id)

    def _is_meant_for_us(self, happening: CallerHappening) -> bool:
        """Tell the caller's answers from a "hello?" or a key before the greeting, and from the music of a hold."""
        match happening:
            case Recognised():
                return True
            case SpeechStarted() | DigitHeard() if self._before_greeting:
                return False
            case SpeechStarted(position) if position < self._here_since:
                return False
        return not self._on_hold

    def _ring(self, alarm: Alarm) -> None:
        match alarm:
            case Alarm.ENDPOINT:
                self._endpoint_reached()
            case Alarm.KEYS:
                self._caller.keys_paused()
            case Alarm.FINAL:
                self._caller.final_is_late()
            case Alarm.VOICE:
                self._caller.verdict_is_late()
            case Alarm.NO_INPUT:
                self._silent()
            case Alarm.FILLER:
                self._say_filler()
            case Alarm.SPEECH:
                self.voice.late()
            case Alarm.TAIL:
                self._hand_on()
            case Alarm.HOLD:
                self._end = DialogueEnd(EndReason.LEFT_ON_HOLD)

    def _settle(self) -> None:
        """Act on the state that the last happening has left: first interrupt, then answer, then wait."""
        if self._caller.interrupts and self.voice.speaking and self.voice.interruptible:
            self._interrupt()
        self._caller.settled()
        if not self.voice.speaking:
            turn, keys = self._caller.turn, self._caller.keys
            if keys is not None and keys.complete:
                self._answer_keys(keys)
            elif turn is not None and turn.complete:
                self._answer_speech(turn)
            elif self._interruption is not None and not self._caller.active:
                self._may_resume = False
                self._resume()
        if self._saying and not self.voice.speaking:
            self._said()
        self._watch_silence()

    # --- the agent speaks ---------------------------------------------------------------------------------

    def _perform(self, step: Step, begun: BegunTurn) -> None:
        """Close the turn that goes on and begin the next: say the step's lines, then do what it asks for."""
        finished = self._end_turn()
        self._then = step.then
        self._interruption = None
        self._may_resume = True
        self._caller.expect(step.then if isinstance(step.then, Listen) else None)
        self._alarms.cancel(Alarm.NO_INPUT)
        self.history.begin(begun, self._node, " ".join(line.text for line in step.say))
        if finished is not None:
            self._journal.turn_ended(finished, self.resume_point)
        self._saying = True
        self.voice.say(step.say)
        self._bridge_wait(begun.timeline.began)

    def _answered(self) -> None:
        if self.history.timeline is not None and self._resumption is None:
            self.history.timeline.began = self._audio.position
        self.talking.set()
        self.voice.release()
        self._bridge_wait(None)

    def _said(self) -> None:
        """The last word went out: now it is the caller's turn, or time to go."""
        self._saying = False
        self._said_at = max(self._played_until, self._audio.position)
        if not isinstance(self._then, Listen):
            self._alarms.set(Alarm.TAIL, self._said_at + self._samples(self._settings.tail_ms))

    def _interrupt(self) -> None:
        """Fall silent: the caller speaks or keys. History keeps what was heard."""
        self.voice.stop()
        self._saying = False
        self._said_at = self._audio.position
        self._interruption = Interruption(self._caller.interrupting_since, cleared_at=self._said_at)
        logger.debug("agent interrupted", extra={"position": self._said_at})

    def _resume(self) -> None:
        """The interruption meant nothing: go on with the word that was cut."""
        self._interruption = None
        self._saying = True
        self.voice.resume(from_word=True)

    def _bridge_wait(self, since: int | None) -> None:
        """Have a filler said when nothing is heard from the agent for too long since this position (or now)."""
        start = self._audio.position if since is None else since
        self._alarms.set(Alarm.FILLER, start + self._samples(self._settings.filler_after_ms))

    def _say_filler(self) -> None:
        turn = self._caller.turn
        if turn is not None and turn.decided_at is None:
            self._bridge_wait(None)
        elif turn is not None or (self.voice.speaking and self.voice.ready_at is None):
            samples = self.voice.say_filler()
            if samples:
                self._bridge_wait(self._audio.position + samples)
            elif self.voice.filler_coming:
                self._alarms.set(Alarm.FILLER, self._audio.position + self._samples(self._settings.filler_retry_ms))

    # --- the caller answers -------------------------------------------------------------------------------

    def _endpoint_reached(self) -> None:
        self._caller.endpoint_reached(self.voice.speaking)
        turn = self._caller.turn
        if turn is not None and turn.decided_at is not None:
            self._bridge_wait(turn.last_speech)

    def _answer_speech(self, turn: CallerTurn) -> None:
        heard = turn.heard
        failure = None if heard.text else turn.failure
        self._engine_failures = 0 if failure is None else self._engine_failures + 1
        if self._engine_failures >= self._settings.max_engine_failures:
            self._end = DialogueEnd(EndReason.ENGINE_FAILED)
        elif failure is None and self._interruption is not None and self._is_no_answer(turn):
            self._caller.drop_turn()
            self._resume()
        else:
            begun = spoken_turn(turn, self._node, self._interruption, self._audio.position, self._audio.rate_hz)
            self._perform(self._script.hear(heard) if failure is None else self._without_speech(failure), begun)

    def _is_no_answer(self, turn: CallerTurn) -> bool:
        """Tell whether what stopped the agent was a sound without words, once, or a listener's "uh-huh", any number.

        A "yeah" answers the question, but not what the agent says before it.
        """
        backchannel = backchannel_in(turn.heard.text, self._language)
        if backchannel is not None:
            return backchannel is Backchannel.MURMUR or not self.voice.at_last_sentence
        may_resume, self._may_resume = self._may_resume, False
        return may_resume and turn.was_passing_sound(self._samples(self._settings.barge_in.backchannel_ms))

    def _without_speech(self, failure: EngineError) -> Step:
        """Go on after speech that was not recognised: a busy recogniser gets a second chance, any other does not."""
        if failure.retryable and self._engine_failures == 1:
            return self._script.ask_again()
        return self._script.offer_keys()

    def _answer_keys(self, keys: KeyEntry) -> None:
        self._engine_failures = 0
        begun = keyed_turn(keys, self._node, self._interruption, self._audio.position, self._audio.rate_hz)
        self._perform(self._script.press(keys.digits), begun)

    def _silent(self) -> None:
        self._note("silence", node=self._node)
        self._perform(self._script.silence(), silent_turn(self._node, self._audio.position, self._audio.rate_hz))

    def _watch_silence(self) -> None:
        """Have the caller's silence noticed, counted from the agent's last word; sounds in between do not count."""
        listen = self._then
        if self._saying or self._caller.active or not isinstance(listen, Listen):
            self._alarms.cancel(Alarm.NO_INPUT)
        elif not self._alarms.is_set(Alarm.NO_INPUT):
            self._alarms.set(Alarm.NO_INPUT, self._said_at + self._samples(listen.no_input_ms))

    # --- the caller puts us on hold -----------------------------------------------------------------------

    def _held(self) -> None:
        if self.talking.is_set() and not self._on_hold:
            self._note("held")
            self._wait()

    def _retrieved(self) -> None:
        if self._on_hold:
            self._note("retrieved")
            self._go_on()

    def _replaced(self, leg_id: str) -> None:
        """Ask the new party what was asked; what the old one was saying is forgotten. A farewell is finished."""
        self._note(PARTY_REPLACED, leg_id=leg_id)
        if not self.talking.is_set():
            return
        self._wait()
        if isinstance(self._then, Listen):
            self._caller.expect(self._then)
            self._cut_by_hold = False
        self._go_on()

    def _wait(self) -> None:
        """Fall silent, for so long at most: nobody hears us, and what we hear is not meant for us."""
        self._cut_by_hold = self.voice.speaking or (self._on_hold and self._cut_by_hold)
        self._on_hold = True
        self.voice.stop()
        self._caller.pause()
        self._alarms.cancel(Alarm.NO_INPUT, Alarm.FILLER, Alarm.TAIL)
        self._alarms.set(Alarm.HOLD, self._audio.position + self._samples(self._settings.max_hold_ms))

    def _go_on(self) -> None:
        """Go on with the sentence that was cut, with an answer that was given before, or with the question again."""
        self._on_hold = False
        self._here_since = self._audio.position
        self._alarms.cancel(Alarm.HOLD)
        if self._cut_by_hold:
            self._saying = True
            self.voice.resume()
        elif not isinstance(self._then, Listen):
            self._said()
        elif self._caller.turn is not None:
            self._bridge_wait(None)
        else:
            self._repeat()

    def _repeat(self) -> None:
        """Ask again what the caller was not there to answer."""
        self._perform(self._script.repeat(), silent_turn(self._node, self._audio.position, self._audio.rate_hz))

    # --- what goes wrong, and the end ---------------------------------------------------------------------

    def _recognition_failed(self, utterance: int, error: EngineError) -> None:
        if self._caller.turn is not None and self._caller.turn.failed(utterance, error):
            self._note("engine_failed", engine="recognizer", code=error.code)

    def _speech_failed(self, error: EngineError, recovered: bool) -> None:
        self._note("engine_failed", engine="synthesizer", code=error.code)
        if not recovered:
            self._end = DialogueEnd(EndReason.ENGINE_FAILED)

    def _hand_on(self) -> None:
        """The last word has reached the caller's ear: the script's end is carried out."""
        if self._then is not None and not isinstance(self._then, Listen):
            self._end = scripted_end(self._then, self._script.result.gave_up)

    # --- inside -------------------------------------------------------------------------------------------

    def _end_turn(self) -> Turn | None:
        return self.history.end(self.voice.heard(), self.voice.ready_at, self.voice.first_sound)

    def _note(self, kind: str, **details: str) -> None:
        self._journal.noted(CallNote(kind, ms_of(self._audio.position, self._audio.rate_hz), details))

    @property
    def _node(self) -> str:
        return self._then.node if isinstance(self._then, Listen) else ""

    @property
    def _before_greeting(self) -> bool:
        """Whether the caller has not heard anything from the agent yet: a "hello?" or a key then is no answer."""
        earlier = 0 if self._resumption is None else 1
        return len(self.history.turns) == earlier and self.voice.speaking and self.voice.first_sound is None

    def _samples(self, ms: int) -> int:
        return samples_of(ms, self._audio.rate_hz)
