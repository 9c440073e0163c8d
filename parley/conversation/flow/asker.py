"""Asks questions: which lines, whether the keys are announced, what to listen for."""

from __future__ import annotations

from collections.abc import Sequence

from parley.conversation.flow.edition import Edition
from parley.conversation.flow.flow import Flow
from parley.conversation.flow.memory import Memory
from parley.conversation.flow.question import Ask, Confirm, Question, ask_of, key_announcement
from parley.conversation.flow.slots import Saying
from parley.conversation.flow.step import AnswerKind, KeyPlan, Line, Listen, Step

MAX_SPEECH_MS = 15_000
MAX_FREE_SPEECH_MS = 30_000


class Asker:
    """Poses the questions of one run."""

    def __init__(self, flow: Flow, edition: Edition, memory: Memory) -> None:
        self._flow = flow
        self._edition = edition
        self._memory = memory
        self._last_asked: Sequence[Line] = ()
        self.keys_only = False
        """Announce the keys with every question: speech is not understood any more."""

    def pose(
        self, question: Question, lines: Sequence[Line], with_keys: bool = False, instead: Sequence[Line] | None = None
    ) -> Step:
        """Ask after `lines`. with_keys: announce the keys. instead: other words for the same question."""
        announces = isinstance(question, Ask) and self._edition.flow.nodes[question.node].announce_keys
        asked = self.question_lines(question)
        keys = self._key_lines(question) if with_keys or announces or self.keys_only else []
        self._last_asked = [*asked, *keys]
        return Step((*lines, *(asked if instead is None else instead), *keys), self._listen(question))

    def repeat(self, question: Question) -> Step:
        """Ask once more, in the same words."""
        return Step(tuple(self._last_asked), self._listen(question))

    def question_lines(self, question: Question) -> list[Line]:
        """Return the question's own words."""
        if isinstance(question, Ask):
            return self._memory.lines(f"nodes.{question.node}.ask")
        if question.intent:
            return self._memory.saying(Saying("did_you_say", {"value": self._edition.label(question.intent)}))
        return self._memory.read_back(question.slot_name, question.value)

    def _key_lines(self, question: Question) -> list[Line]:
        if isinstance(question, Confirm):
            return self._memory.saying("yes_no_keys") + self._memory.saying("person_key")
        if self._edition.flow.nodes[question.node].keys is not None:
            return self._memory.lines(f"nodes.{question.node}.keys")
        labels = {name: self._edition.label(name) for name in question.choices}
        return [line for saying in key_announcement(question, labels) for line in self._memory.saying(saying)]

    def _listen(self, question: Question) -> Listen:
        ask = ask_of(question)
        confirming = isinstance(question, Confirm)
        kind = AnswerKind.YES_NO if confirming else ask.kind
        wait_s = self._edition.flow.nodes[ask.node].wait or self._edition.flow.wait
        return Listen(
            node=ask.node,
            kind=kind,
            grammar=self._flow.grammar(self._edition, question),
            keys=KeyPlan() if confirming else ask.key_plan(),
            no_input_ms=round(wait_s * 1000),
            max_speech_ms=MAX_FREE_SPEECH_MS if kind is AnswerKind.FREE else MAX_SPEECH_MS,
        )
