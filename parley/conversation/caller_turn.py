"""One turn of the caller's speech: its endpoint, its utterances, and what was understood of them.

The dialogue opens one when the caller begins to speak and asks it for the answer when it is complete.
"""

from __future__ import annotations

from parley.conversation.endpointing import Decision, Endpointer
from parley.conversation.errors import EngineError
from parley.conversation.flow.step import Heard, Listen
from parley.conversation.listening import Listening, Utterance
from parley.conversation.ports import Hypothesis, RecognitionRequest
from parley.conversation.settings import EndpointSettings
from parley.conversation.timings import samples_of


def endpointer_for(listen: Listen, settings: EndpointSettings, rate_hz: int) -> Endpointer:
    """Make the endpointer that is as patient as the expected answer needs."""
    return Endpointer(
        patience=samples_of(settings.patience_ms[listen.kind], rate_hz),
        min_speech=samples_of(settings.min_speech_ms, rate_hz),
        max_speech=samples_of(listen.max_speech_ms, rate_hz),
    )


class CallerTurn:
    """Usually one utterance. A caller who goes on after the endpoint, before the answer was used, adds another."""

    def __init__(self, listening: Listening, request: RecognitionRequest, endpointer: Endpointer) -> None:
        """request: what to listen for in each utterance."""
        self._listening = listening
        self._request = request
        self._endpointer = endpointer
        self._utterances: list[Utterance] = []
        self._finals: dict[int, Hypothesis] = {}
        self._over = False
        self.decided_at: int | None = None
        """Position at which the turn was found to be over; None while it goes on."""
        self.failure: EngineError | None = None
        """Why some of it could not be recognised."""

    # --- speech -------------------------------------------------------------------------------------------

    @property
    def decide_at(self) -> int | None:
        """Position at which to call `decide()`, unless the caller's voice starts or stops before."""
        return self._endpointer.decide_at

    @property
    def first_speech(self) -> int:
        """First sample of the caller's voice; 0 before there was any."""
        return self._endpointer.first_speech or 0

    @property
    def last_speech(self) -> int | None:
        """One past the last sample of real speech."""
        return self._endpointer.last_speech

    def speech_started(self, position: int) -> None:
        """Take the start of the caller's voice; opens an utterance unless one is open."""
        self._endpointer.speech_started(position)
        if self._over or not self._utterances:
            self._utterances.append(self._listening.open(self._request, position))
        self._over = False
        self.decided_at = None

    def speech_stopped(self, position: int) -> None:
        """Take the end of the caller's voice."""
        self._endpointer.speech_stopped(position)

    def decide(self, position: int) -> Decision:
        """Look whether the turn is over at this position; if so, ask for the final hypotheses."""
        decision = self._endpointer.decide(position)
        if decision in (Decision.OVER, Decision.TOO_LONG):
            self._over = True
            self.decided_at = position
            self._utterances[-1].finish()
        return decision

    def abandon(self) -> None:
        """Free the engine: nobody wants the answer. May be called twice."""
        for utterance in self._utterances:
            utterance.abandon()

    # --- recognition --------------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether the turn is over and everything that was said is known, or known to have failed."""
        return self._over and all(utterance.number in self._finals for utterance in self._utterances)

    def recognised(self, utterance: int, hypothesis: Hypothesis) -> None:
        """Take a hypothesis; those of other turns' utterances are ignored."""
        if hypothesis.final and self._has(utterance):
            self._finals.setdefault(utterance, hypothesis)

    def failed(self, utterance: int, error: EngineError) -> bool:
        """Take note that an utterance will not be recognised; return whether it is this turn's."""
        if not self._has(utterance) or utterance in self._finals:
            return False
        self._finals[utterance] = Hypothesis(text="", final=True, rejected=True)
        self.failure = error
        return True

    def give_up(self, error: EngineError) -> None:
        """Stop waiting for final hypotheses; the failures come through the inbox."""
        for utterance in self._utterances:
            if utterance.number not in self._finals:
                utterance.fail(error)

    @property
    def heard(self) -> Heard:
        """What was understood; utterances that were rejected are left out when others were not."""
        finals = [self._finals[utterance.number] for utterance in self._utterances]
        good = [final for final in finals if not final.rejected and final.text]
        if not good:
            return Heard(text="", confidence=0.0, rejected=any(final.rejected for final in finals))
        return Heard(text=" ".join(final.text for final in good), confidence=min(final.confidence for final in good))

    def was_passing_sound(self, longest: int) -> bool:
        """Tell whether a complete turn was short, at most `longest` samples, and meant nothing."""
        length = (self.last_speech or self.first_speech) - self.first_speech
        return not self.heard.text and length <= longest

    def _has(self, number: int) -> bool:
        return any(utterance.number == number for utterance in self._utterances)
