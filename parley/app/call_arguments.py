"""What the dialplan passes with a call: `Stasis(parley,agent=reception,language=zh,clinic=North)`.

call_runner reads them when a leg is offered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_RESERVED = frozenset({"agent", "language"})


class CallArgumentsError(Exception):
    """The dialplan's arguments cannot be used; the message says what to write."""


@dataclass(frozen=True, slots=True)
class CallArguments:
    """The arguments of one call."""

    agent: str
    """Name of a table [agents.NAME]."""
    language: str = ""
    """Overrides flow and agent; empty when not given."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Everything else, for the flow: `{clinic}` in a prompt is `clinic=North` here."""


def parse_call_arguments(arguments: Sequence[str], agents: Sequence[str]) -> CallArguments:
    """Read `key=value` arguments; `agents` are the configured names.

    A call without `agent=` goes to the only agent there is. Raises CallArgumentsError.
    """
    values: dict[str, str] = {}
    for argument in arguments:
        if not argument:
            continue
        name, separator, value = argument.partition("=")
        if not separator or not _NAME.fullmatch(name):
            raise CallArgumentsError(f"argument {argument[:80]!r} is not name=value (lower-case name)")
        if name in values:
            raise CallArgumentsError(f"argument {name!r} is given twice")
        values[name] = value
    agent = values.get("agent", agents[0] if len(agents) == 1 else "")
    if not agent:
        raise CallArgumentsError(f"no agent named: pass agent=NAME, one of {', '.join(sorted(agents))}")
    if agent not in agents:
        raise CallArgumentsError(
            f"unknown agent {agent[:80]!r}: parley.toml has {', '.join(sorted(agents))}; "
            "correct the dialplan or add a table [agents.NAME]"
        )
    variables = {name: value for name, value in values.items() if name not in _RESERVED}
    return CallArguments(agent=agent, language=values.get("language", ""), variables=variables)
