"""What concerns several places of a flow at once: targets, reachability, prompts, variables.

Phrases are checked in `phrase_checks`. Everything found is noted with its line; nothing stops at the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from parley.conversation.flow import schema
from parley.conversation.flow.edition import BACK, BUILT_IN
from parley.conversation.flow.languages import LANGUAGES, SAYINGS
from parley.conversation.flow.memory import CALL_FACTS, CALLERS_FACTS, REASON
from parley.conversation.flow.shape import suggest
from parley.conversation.flow.source import Path, Source
from parley.conversation.flow.template import TemplateError, Variable, parse_template

SAYING_VALUES = frozenset({"value", "key", "length", "lowest", "highest", "shortest", "longest"})
"""What the language pack fills into its sayings."""


def check_flow(flow: schema.FlowFile, source: Source) -> None:
    """Note every problem of a flow whose shape is right."""
    _check_languages(flow, source)
    for name, node in flow.nodes.items():
        _check_node(name, node, flow, source)
    _check_names(flow, source)
    _check_targets(flow, source)
    if not source.problems:
        _check_reach(flow, source)
        _check_circles(flow, source)
    for path, prompt, extra in prompts_with_paths(flow):
        _check_prompt(path, prompt, extra, flow, source)
    _check_destinations(flow, source)


def _check_languages(flow: schema.FlowFile, source: Source) -> None:
    for language in flow.languages:
        if language not in LANGUAGES:
            source.problem(("languages",), f"there is no language '{language}'", suggest(language, LANGUAGES))


def _check_node(name: str, node: schema.Node, flow: schema.FlowFile, source: Source) -> None:
    path: Path = ("nodes", name)
    if name == BACK:
        source.problem(path, "'back' cannot be a node's name: it means the question before", "rename the node")
    if node.ask is None:
        for part in ("slot", "choices", "correct", "no_input", "no_match", "help", "keys", "tries", "give_up", "wait"):
            if source.has((*path, part)):
                source.problem((*path, part), f"'{part}' is of no use without 'ask'", "add 'ask:', or remove it")
                break
        exits = [part for part in ("go", "transfer", "end") if getattr(node, part) is not None]
        if len(exits) != 1:
            what = f"has {' and '.join(exits)}" if exits else "does not say what comes next"
            source.problem(path, f"node '{name}' {what}", "give it exactly one of 'go', 'transfer', 'end', or 'ask'")
        return
    if node.transfer is not None or node.end is not None:
        source.problem(
            path, f"node '{name}' asks and ends at once", "move the ending to a node of its own, and 'go' there"
        )
    if node.slot is None and not node.choices:
        source.problem((*path, "ask"), "nothing is done with the answer", "add 'slot:' or 'choices:'")
    if (node.slot is None) != (node.go is None):
        todo = "add 'go:'" if node.go is None else "remove 'go:': every choice says where to go"
        source.problem(
            path, f"node '{name}' {'does not say' if node.go is None else 'says twice'} what comes next", todo
        )
    for choice, spec in node.choices.items():
        if node.slot is not None and spec.key:
            source.problem((*path, "choices", choice, "key"), "beside a slot the keys belong to it", "remove 'key'")
    keys = [choice.key for choice in node.choices.values() if choice.key]
    if len(keys) != len(set(keys)):
        source.problem((*path, "choices"), "two choices have the same key", "give each its own")


def _check_names(flow: schema.FlowFile, source: Source) -> None:
    """Whether what nodes refer to is there."""
    known_intents = {*BUILT_IN, *flow.intents}
    for name, node in flow.nodes.items():
        if node.slot is not None and node.slot not in flow.slots:
            source.problem(("nodes", name, "slot"), f"there is no slot '{node.slot}'", suggest(node.slot, flow.slots))
        for slot in node.correct:
            if slot not in flow.slots:
                source.problem(("nodes", name, "correct"), f"there is no slot '{slot}'", suggest(slot, flow.slots))
        for choice in node.choices:
            if choice not in known_intents:
                todo = f"add it under 'intents:' with its phrases, or {suggest(choice, known_intents)}"
                source.problem(("nodes", name, "choices", choice), f"there is no intent '{choice}'", todo)
        for path, way in ways_of(name, node):
            for at, branch in enumerate(way.branches):
                _check_branch((*path, at), at == len(way.branches) - 1, branch, flow, source)
    for name in flow.sayings:
        if name not in SAYINGS:
            source.problem(("sayings", name), f"there is no saying '{name}'", suggest(name, SAYINGS))
    for name in flow.variables:
        if name in flow.slots or name in CALL_FACTS or name in (REASON, "today"):
            source.problem(("variables", name), f"'{name}' is taken", "choose another name")


def _check_branch(path: Path, last: bool, branch: schema.Branch, flow: schema.FlowFile, source: Source) -> None:
    if last and (branch.when or branch.unless):
        source.problem(path, "the last branch has a condition", "add one without, for all other callers")
    if not last and not (branch.when or branch.unless):
        source.problem(path, "nothing after this branch is ever reached", "give it a condition, or move it to the end")
    for name in (*branch.when, *branch.unless):
        if name not in known_variables(flow):
            source.problem(path, f"'{name}' is never set", suggest(name, known_variables(flow)))


def _check_targets(flow: schema.FlowFile, source: Source) -> None:
    for path, target in targets(flow):
        if target not in flow.nodes and not (target == BACK and "go" in path):
            source.problem(path, f"there is no node '{target}'", suggest(target, flow.nodes))


def _check_reach(flow: schema.FlowFile, source: Source) -> None:
    edges: dict[str, list[str]] = {}
    open_nodes = [flow.start, *(intent.everywhere for intent in flow.intents.values() if intent.everywhere)]
    for path, target in targets(flow):
        if path[0] == "nodes":
            edges.setdefault(str(path[1]), []).append(target)
    reached: set[str] = set()
    while open_nodes:
        node = open_nodes.pop()
        if node not in reached:
            reached.add(node)
            open_nodes += edges.get(node, [])
    for name in flow.nodes:
        if name not in reached:
            source.problem(
                ("nodes", name), f"node '{name}' is never reached", "let another node go there, or remove it"
            )


def _check_circles(flow: schema.FlowFile, source: Source) -> None:
    """Nodes that only talk must not lead to each other in a circle."""
    talking = {name: node.go for name, node in flow.nodes.items() if node.ask is None and node.go is not None}
    for start, way in talking.items():
        seen: set[str] = set()
        following = [branch.to for branch in way.branches]
        while following:
            name = following.pop()
            if name == start:
                source.problem(
                    ("nodes", start, "go"),
                    f"node '{start}' comes back to itself without a question",
                    "ask something on the way",
                )
                return
            if name in talking and name not in seen:
                seen.add(name)
                following += [branch.to for branch in talking[name].branches]


def _check_prompt(
    path: Path, prompt: schema.Prompt, extra: frozenset[str], flow: schema.FlowFile, source: Source
) -> None:
    for at, line in enumerate(prompt.lines):
        for language in flow.languages:
            if language not in line.texts and not ("" in line.texts and language == flow.languages[0]):
                source.problem(
                    (*path, at), f"the text for '{language}' is missing", f"add '{language}:' with the words"
                )
        for language, text in line.texts.items():
            if language and language not in flow.languages:
                todo = f"add it to 'languages:', or {suggest(language, (*flow.languages, *schema.LINE_OPTIONS))}"
                source.problem((*path, at, language), f"'{language}' is not a language of this flow", todo)
            _check_text((*path, at, language), text, known_variables(flow) | extra, source)


def _check_text(path: Path, text: str, known: frozenset[str], source: Source) -> tuple[Variable, ...]:
    try:
        variables = parse_template(text).variables
    except TemplateError as err:
        what, _, todo = str(err).partition("; ")
        source.problem(path, what, todo)
        return ()
    for variable in variables:
        if variable.name not in known:
            todo = f"declare it under 'variables:', or {suggest(variable.name, known)}"
            source.problem(path, f"'{{{variable.name}}}' is never set", todo)
    return variables


def _check_destinations(flow: schema.FlowFile, source: Source) -> None:
    """A caller must never choose where we call: nothing that callers control may become a destination."""
    known, chains = known_variables(flow), _callers_variables(flow)
    places: list[tuple[Path, str]] = [(("fallback",), flow.fallback)]
    for name, node in flow.nodes.items():
        if node.transfer is not None:
            places.append((("nodes", name, "transfer"), node.transfer.queue or node.transfer.number))
        for stored, text in node.set.items():
            path: Path = ("nodes", name, "set", stored)
            for variable in _check_text(path, text, known, source):
                if stored in flow.variables and variable.name in chains:
                    chain = _written((*chains[variable.name], stored))
                    what = f"'{stored}' comes from the dialplan and would hold what the caller controls ({chain})"
                    source.problem(path, what, "use another name")
    for path, text in places:
        for variable in _check_text(path, text, known, source):
            if variable.name in chains:
                chain = _written(chains[variable.name])
                what = f"the caller would choose the destination '{{{variable.name}}}' ({chain})"
                todo = "use a fixed destination or one from 'variables:', so that callers cannot dial out through you"
                source.problem(path, what, todo)


def _callers_variables(flow: schema.FlowFile) -> dict[str, tuple[str, ...]]:
    """Return every name whose value callers control, with the way by which it comes to it through `set:`."""
    chains: dict[str, tuple[str, ...]] = {name: (name,) for name in (*flow.slots, *CALLERS_FACTS)}
    stored = [(name, _names_in(text)) for node in flow.nodes.values() for name, text in node.set.items()]
    found = True
    while found:
        found = False
        for name, parts in stored:
            part = next((part for part in parts if part in chains), None)
            if part is not None and name not in chains:
                chains[name] = (*chains[part], name)
                found = True
    return chains


def _names_in(text: str) -> tuple[str, ...]:
    try:
        return tuple(variable.name for variable in parse_template(text).variables)
    except TemplateError:
        return ()


def _written(chain: Sequence[str]) -> str:
    return " -> ".join(f"'{name}'" for name in chain)


def known_variables(flow: schema.FlowFile) -> frozenset[str]:
    """Return every name that a prompt may use."""
    set_somewhere = {name for node in flow.nodes.values() for name in node.set}
    return frozenset({*flow.variables, *flow.slots, *set_somewhere, *CALL_FACTS, REASON, "today"})


def ways_of(name: str, node: schema.Node) -> Iterator[tuple[Path, schema.Way]]:
    """Yield the ways on from a node, each with its path."""
    if node.go is not None:
        yield ("nodes", name, "go"), node.go
    for choice, spec in node.choices.items():
        yield ("nodes", name, "choices", choice, "go"), spec.go


def targets(flow: schema.FlowFile) -> Iterator[tuple[Path, str]]:
    """Yield every node name that something leads to, with its path."""
    yield ("start",), flow.start
    for name, intent in flow.intents.items():
        if intent.everywhere:
            yield ("intents", name, "everywhere"), intent.everywhere
    for name, node in flow.nodes.items():
        if node.give_up:
            yield ("nodes", name, "give_up"), node.give_up
        for path, way in ways_of(name, node):
            for at, branch in enumerate(way.branches):
                yield (*path, at, "to"), branch.to


def prompts_with_paths(flow: schema.FlowFile) -> Iterator[tuple[Path, schema.Prompt, frozenset[str]]]:
    """Yield every prompt with its path and the names that only it may use."""
    none: frozenset[str] = frozenset()
    for name, prompt in flow.sayings.items():
        yield ("sayings", name), prompt, SAYING_VALUES
    for name, intent in flow.intents.items():
        if intent.label is not None:
            yield ("intents", name, "label"), intent.label, none
    for name, slot in flow.slots.items():
        parts: Mapping[str, schema.Prompt | None] = {"read_back": slot.read_back, "invalid": slot.invalid}
        yield from ((("slots", name, part), prompt, SAYING_VALUES) for part, prompt in parts.items() if prompt)
        options = slot.options if isinstance(slot, schema.ChoiceSlot) else {}
        for option, spec in options.items():
            if spec.label is not None:
                yield ("slots", name, "options", option, "label"), spec.label, none
    if flow.summary is not None:
        yield ("summary",), flow.summary, none
    for name, node in flow.nodes.items():
        yield from _node_prompts(name, node)


def _node_prompts(name: str, node: schema.Node) -> Iterator[tuple[Path, schema.Prompt, frozenset[str]]]:
    none: frozenset[str] = frozenset()
    parts = {"say": node.say, "ask": node.ask, "help": node.help, "keys": node.keys}
    yield from ((("nodes", name, part), prompt, none) for part, prompt in parts.items() if prompt)
    several: Sequence[tuple[str, schema.PromptList | None]] = (("no_input", node.no_input), ("no_match", node.no_match))
    for part, prompts in several:
        for at, prompt in enumerate(prompts.prompts if prompts else ()):
            yield ("nodes", name, part, at), prompt, none
    if node.transfer is not None and node.transfer.summary is not None:
        yield ("nodes", name, "transfer", "summary"), node.transfer.summary, none
