"""One caller going through a flow: input → Step. Pure: no I/O, no clock, no tasks.

The dialogue performs the steps on a call, `parley chat` in a terminal, tests directly.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from parley.conversation.errors import CannotResume, ConversationError
from parley.conversation.flow import schema
from parley.conversation.flow.asker import Asker
from parley.conversation.flow.edition import BACK
from parley.conversation.flow.flow import Flow
from parley.conversation.flow.memory import Memory
from parley.conversation.flow.phrase_book import NO, YES
from parley.conversation.flow.question import (
    PERSON_KEY,
    REPEAT_KEY,
    Ask,
    Confirm,
    Question,
    ask_at,
    ask_of,
    takes_zero,
)
from parley.conversation.flow.run_state import RunState, described, question_of
from parley.conversation.flow.slots import Context, Saying
from parley.conversation.flow.step import (
    AnswerKind,
    FlowResult,
    GoOn,
    HangUp,
    Heard,
    Line,
    Next,
    Step,
    Transfer,
)
from parley.conversation.flow.understanding import Correction, Meaning, Understanding, Value, Wish

MAX_NODES_PER_STEP = 100
MAX_INPUTS_PER_QUESTION = 15
"""A caller who keeps changing their mind at one question gets a person."""


class FlowEnded(ConversationError):
    """Input was given to a run that is over."""

    code = "flow_ended"


class FlowRun:
    """The state of one call in a flow."""

    def __init__(
        self, flow: Flow, language: str, facts: Mapping[str, str], today: date, fallback_queue: str = ""
    ) -> None:
        """language: one of `flow.languages`. facts: `ani`, `dnis`, `call_id` and the dialplan's variables.

        today: the caller's day. fallback_queue: replaces the flow's own. Raises ValueError for another language.
        """
        if language not in flow.languages:
            raise ValueError(f"flow {flow.name} does not speak {language}: it has {', '.join(flow.languages)}")
        self._flow = flow
        self._spec = flow.spec
        self._edition = flow.edition(language)
        context = Context(today)
        self._memory = Memory(self._edition, facts, context)
        self._understanding = Understanding(self._edition, context)
        self._context = context
        self._fallback = fallback_queue or self._memory.expand(self._spec.fallback)
        self._node = self._spec.start
        self._question: Question | None = None
        self._asker = Asker(flow, self._edition, self._memory)
        self._volunteered: dict[str, str] = {}
        self._echoed: tuple[str, ...] = ()
        self._failures = self._denials = self._inputs = 0
        self._outcome = self._intent = ""
        self._gave_up = self._over = self._taken_up = False

    @classmethod
    def restored(cls, flow: Flow, state: RunState, fallback_queue: str = "") -> FlowRun:
        """Make a run that goes on where another one was; its `start()` asks the question that waited.

        fallback_queue: replaces the flow's own. Raises CannotResume when the flow has changed too much.
        """
        if state.flow != flow.name or state.language not in flow.languages:
            raise CannotResume(f"the call began in flow {state.flow} ({state.language}), which the agent does not use")
        run = cls(flow, state.language, state.facts, date.fromisoformat(state.today), fallback_queue)
        run._memory.restore(state.written, state.slots, state.reason)
        run._question = question_of(state, flow, run._edition)
        run._node = state.node
        run._volunteered = {name: value for name, value in state.volunteered.items() if name in run._edition.slots}
        run._failures, run._denials, run._inputs = state.failures, state.denials, state.inputs
        run._asker.keys_only = state.keys_only
        run._outcome, run._intent, run._gave_up = state.outcome, state.intent, state.gave_up
        run._taken_up = True
        return run

    @property
    def state(self) -> RunState | None:
        """What `restored` needs to go on from here; None before the start and after the end."""
        if self._question is None or self._over:
            return None
        ask, confirm = described(self._question)
        return RunState(
            flow=self._flow.name,
            fingerprint=self._flow.fingerprint,
            language=self._edition.language.code,
            today=self._context.today.isoformat(),
            node=ask.node,
            facts=self._memory.facts,
            written=self._memory.written,
            slots=dict(self._memory.slots),
            volunteered=dict(self._volunteered),
            correctable=ask.correctable,
            confirming=confirm is not None,
            confirmed_slot=confirm.slot_name if confirm else "",
            confirmed_value=confirm.value if confirm else "",
            confirmed_intent=confirm.intent if confirm else "",
            failures=self._failures,
            denials=self._denials,
            inputs=self._inputs,
            keys_only=self._asker.keys_only,
            gave_up=self._gave_up,
            reason=self._memory.reason,
            outcome=self._outcome,
            intent=self._intent,
        )

    @property
    def node(self) -> str:
        """The node that the caller is in."""
        return self._node

    @property
    def result(self) -> FlowResult:
        """What has been gathered so far."""
        return FlowResult(
            outcome=self._outcome,
            intent=self._intent,
            summary=self._memory.summary(self._node),
            slots=self._memory.gathered(),
            gave_up=self._gave_up,
        )

    # --- input --------------------------------------------------------------------------------------------

    def start(self) -> Step:
        """Begin; a restored run asks the waiting question again. Raises FlowEnded when the run is over."""
        if self._over:
            raise FlowEnded("the run is over")
        if self._taken_up:
            return self._pose(self._open_question(count=False), self._memory.saying("resumed"))
        return self._enter(self._spec.start, [])

    def hear(self, heard: Heard) -> Step:
        """Take what the caller said. Raises FlowEnded."""
        question = self._open_question()
        if heard.rejected or heard.confidence < self._spec.confidence.reject:
            return self._failed("no_match")
        meaning = self._understanding.understand(question, heard.text)
        unsure = heard.confidence < self._spec.confidence.accept
        return self._failed("no_match") if meaning is None else self._act_on(question, meaning, unsure)

    def press(self, digits: str) -> Step:
        """Take keys, with or without the key that ended the entry. Raises FlowEnded."""
        question = self._open_question()
        digits = digits.removesuffix("#")
        if digits == REPEAT_KEY:
            return self._wished("repeat", unsure=False)
        if digits == PERSON_KEY and (isinstance(question, Confirm) or not takes_zero(question)):
            return self._wished("person", unsure=False)
        if isinstance(question, Confirm):
            meaning: Meaning | None = Wish({"1": YES, "2": NO}[digits]) if digits in ("1", "2") else None
        elif (choice := question.choice_keys().get(digits)) is not None:
            meaning = Wish(choice)
        else:
            value = question.slot.from_keys(digits, self._context) if question.slot is not None else None
            meaning = None if value is None else Value(value)
        return self._failed("no_match") if meaning is None else self._act_on(question, meaning, unsure=False)

    def silence(self) -> Step:
        """Take note that the caller said nothing within `Listen.no_input_ms`. Raises FlowEnded."""
        self._open_question()
        return self._failed("no_input")

    def ask_again(self) -> Step:
        """Ask again, by speech or keys, which are announced this once; counts as no failure. Raises FlowEnded.

        For the moment when speech could not be recognised, which may pass.
        """
        return self._pose(self._open_question(), self._memory.saying("no_match_1"), with_keys=True)

    def repeat(self) -> Step:
        """Ask the open question again; counts as no failure. Raises FlowEnded.

        For a caller who is back from hold, or who has taken another's place.
        """
        return self._pose(self._open_question(), [])

    def offer_keys(self) -> Step:
        """Ask again, by keys, and announce the keys of every question from now on. Raises FlowEnded.

        For the moment when speech cannot be recognised any more.
        """
        question = self._open_question()
        self._asker.keys_only = True
        return self._pose(question, [])

    # --- nodes --------------------------------------------------------------------------------------------

    def _enter(self, name: str, lines: list[Line]) -> Step:
        for _ in range(MAX_NODES_PER_STEP):
            if name == BACK:
                if self._question is not None:
                    self._node = ask_of(self._question).node
                    return self._pose(self._question, lines)
                name = self._spec.start
            node = self._spec.nodes[name]
            self._node = name
            if node.say is not None:
                lines += self._memory.lines(f"nodes.{name}.say")
            for variable, text in node.set.items():
                self._memory.write(variable, self._memory.expand(text))
            self._intent = node.intent or self._intent
            self._outcome = node.outcome or self._outcome
            if node.ask is not None:
                return self._ask(name, node, lines)
            if node.transfer is not None:
                return self._transfer(node.transfer, lines)
            if node.go is None:
                return self._end(lines, GoOn() if node.end == "dialplan" else HangUp())
            name = self._next(node.go)
        return self._give_up_to_queue(lines)

    def _ask(self, name: str, node: schema.Node, lines: list[Line]) -> Step:
        ask = ask_at(name, node, self._edition.slots, self._echoed)
        self._echoed = ()
        self._failures = self._denials = self._inputs = 0
        self._question = ask
        value = self._volunteered.pop(ask.slot_name, "")
        if value and ask.slot is not None and ask.slot.complain(value, self._context) is None:
            return self._take_value(ask, ask.slot_name, value, unsure=False, lines=lines)
        return self._pose(ask, lines)

    def _next(self, way: schema.Way) -> str:
        for branch in way.branches:
            met = all(self._memory.value(name) in values for name, values in branch.when.items())
            unmet = any(self._memory.value(name) in values for name, values in branch.unless.items())
            if met and not unmet:
                return branch.to
        return way.branches[-1].to

    # --- answers ------------------------------------------------------------------------------------------

    def _act_on(self, question: Question, meaning: Meaning, unsure: bool) -> Step:
        ask = ask_of(question)
        match meaning:
            case Wish(intent="yes" | "no" as answer) if isinstance(question, Confirm):
                return self._confirmed(question) if answer == YES else self._denied(question)
            case Wish(intent, slots):
                self._volunteered.update(slots)
                return self._wished(intent, unsure)
            case Value(value) if isinstance(question, Confirm):
                return self._take_value(ask, question.slot_name, value, unsure=True)
            case Value(value):
                return self._take_value(ask, ask.slot_name, value, unsure)
            case Correction(slot_name, value) if value == self._memory.slots.get(slot_name):
                return self._failed("no_match")
            case Correction(slot_name, value):
                return self._take_value(ask, slot_name, value, unsure=True)

    def _take_value(self, ask: Ask, slot_name: str, value: str, unsure: bool, lines: list[Line] | None = None) -> Step:
        slot, spec = self._edition.slots[slot_name], self._spec.slots[slot_name]
        complaint = slot.complain(value, self._context) if value else None
        if complaint is not None:
            self._question = ask
            return self._failed("invalid", self._complaint(slot_name, complaint))
        if value and (spec.confirm == "always" or (unsure and spec.confirm != "never") or slot_name != ask.slot_name):
            return self._pose(Confirm(ask, slot_name, value), lines or [])
        return self._accept(ask, slot_name, value, lines or [], echo=spec.confirm == "echo" and bool(value))

    def _accept(self, ask: Ask, slot_name: str, value: str, lines: list[Line], echo: bool) -> Step:
        self._memory.write(slot_name, value)
        if slot_name != ask.slot_name:
            return self._pose(ask, lines)
        if echo:
            lines += self._memory.saying(
                Saying("echo", {"value": self._edition.slots[slot_name].say(value, self._context)})
            )
            self._echoed = (slot_name,)
        way = self._spec.nodes[ask.node].go
        return self._enter(self._next(way) if way is not None else self._spec.start, lines)

    def _complaint(self, slot_name: str, complaint: Saying) -> list[Line]:
        own = f"slots.{slot_name}.invalid"
        if own in self._edition.passages:
            return self._memory.lines(own, complaint.values)
        return self._memory.saying(complaint)

    def _confirmed(self, confirm: Confirm) -> Step:
        if confirm.intent:
            self._question = confirm.ask
            return self._wished(confirm.intent, unsure=False)
        return self._accept(confirm.ask, confirm.slot_name, confirm.value, [], echo=False)

    def _denied(self, confirm: Confirm) -> Step:
        self._denials += 1
        self._question = confirm.ask
        if self._denials >= self._tries(confirm.ask):
            return self._give_up()
        return self._pose(confirm.ask, self._memory.saying("not_right"))

    def _wished(self, intent: str, unsure: bool) -> Step:
        question = self._open_question(count=False)
        ask = ask_of(question)
        if unsure and intent not in (YES, NO, "repeat", "help"):
            return self._pose(Confirm(ask, intent=intent), [])
        if intent in ask.choices:
            return self._enter(self._next(ask.choices[intent].go), [])
        return self._wished_anywhere(intent, question)

    def _wished_anywhere(self, intent: str, question: Question) -> Step:
        if intent == "person":
            self._memory.reason = "reason_person"
        elif intent == "start_over":
            self._memory.forget_slots()
            self._volunteered.clear()
        spec = self._spec.intents.get(intent)
        if spec is not None and spec.everywhere is not None:
            return self._enter(spec.everywhere, [])
        if intent == "repeat":
            return self._asker.repeat(question)
        if intent == "help":
            return self._help(question)
        if intent == "start_over":
            return self._enter(self._spec.start, self._memory.saying("start_over"))
        self._outcome = self._outcome or intent
        lines = self._memory.saying(intent)
        return self._end(lines, HangUp() if intent == "goodbye" else self._to_fallback())

    def _help(self, question: Question) -> Step:
        key = f"nodes.{ask_of(question).node}.help"
        lines = self._memory.lines(key) if key in self._edition.passages else self._memory.saying("help")
        return self._pose(question, lines, with_keys=True)

    # --- failures -----------------------------------------------------------------------------------------

    def _failed(self, kind: str, lines: list[Line] | None = None) -> Step:
        """kind: no_match, no_input, or invalid: then `lines` say why."""
        question = self._open_question(count=False)
        ask = ask_of(question)
        self._failures += 1
        if self._failures >= self._tries(ask) or self._inputs > MAX_INPUTS_PER_QUESTION:
            return self._give_up()
        own = self._own_prompt(ask.node, kind) if isinstance(question, Ask) else ""
        with_keys = self._failures >= (1 if ask.kind is AnswerKind.CHOICE else 2)
        if lines is None and own:
            return self._pose(question, [], with_keys, instead=self._memory.lines(own))
        if lines is None:
            lines = self._memory.saying(f"{kind}_{min(self._failures, 2)}")
        return self._pose(question, lines, with_keys)

    def _own_prompt(self, node: str, kind: str) -> str:
        several = getattr(self._spec.nodes[node], kind, None)
        if not isinstance(several, schema.PromptList):
            return ""
        return f"nodes.{node}.{kind}.{min(self._failures, len(several.prompts))}"

    def _tries(self, ask: Ask) -> int:
        return self._spec.nodes[ask.node].tries or self._spec.tries

    def _give_up(self) -> Step:
        self._gave_up = True
        self._memory.reason = "reason_not_understood"
        node = self._spec.nodes[ask_of(self._open_question(count=False)).node]
        return self._enter(node.give_up, []) if node.give_up else self._give_up_to_queue([])

    def _give_up_to_queue(self, lines: list[Line]) -> Step:
        self._gave_up = True
        self._memory.reason = self._memory.reason or "reason_not_understood"
        self._outcome = self._outcome or "not_understood"
        return self._end(lines + self._memory.saying("give_up"), self._to_fallback())

    # --- ends ---------------------------------------------------------------------------------------------

    def _pose(
        self, question: Question, lines: list[Line], with_keys: bool = False, instead: list[Line] | None = None
    ) -> Step:
        self._question = question
        return self._asker.pose(question, lines, with_keys or self._denials >= 2, instead)

    def _transfer(self, to: schema.TransferTo, lines: list[Line]) -> Step:
        destination = self._memory.expand(to.number or to.queue)
        if not destination:
            return self._end(lines, self._to_fallback())
        summary = self._memory.summary(self._node)
        return self._end(lines, Transfer(destination, is_number=bool(to.number), summary=summary))

    def _to_fallback(self) -> Transfer:
        return Transfer(self._fallback, summary=self._memory.summary(self._node))

    def _end(self, lines: list[Line], then: Next) -> Step:
        self._over = True
        return Step(tuple(lines), then)

    def _open_question(self, count: bool = True) -> Question:
        if self._over:
            raise FlowEnded("the run is over: a Transfer, HangUp or GoOn step ended it")
        if self._question is None:
            raise FlowEnded("the run has not been started")
        self._inputs += count
        return self._question
