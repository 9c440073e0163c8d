"""Which call script an agent uses, and where it lies."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from parley.app.resources import shipped
from parley.app.settings import Settings
from parley.app.settings_tables import AgentSettings
from parley.conversation.errors import FlowError
from parley.conversation.flow.loader import Flow, find_flow, load_flow

logger = logging.getLogger(__name__)


def is_path(name: str) -> bool:
    """Tell a flow's path from its name."""
    return "/" in name or Path(name).suffix in (".yaml", ".yml")


def flow_place(settings: Settings | None, name: str) -> Path:
    """Return where a flow lies: a path (it has a `/` or ends in .yaml) as it is, a name in the site's folders first.

    Raises FlowError.
    """
    path = Path(name)
    if is_path(name):
        return path
    own = settings.flow_folders if settings else ()
    return find_flow(name, [*own, shipped("flows")])


def load_flow_named(settings: Settings | None, name: str) -> Flow:
    """Load a flow by name or path. Raises FlowError."""
    return load_flow(flow_place(settings, name))


def load_agent_flow(settings: Settings, agent: AgentSettings, known: Mapping[Path, Flow] | None = None) -> Flow:
    """Load the flow of an agent, or take it from those that are known by their places.

    Raises FlowError, also for a language that the flow does not speak.
    """
    place = flow_place(settings, agent.flow)
    flow = (known or {}).get(place) or load_flow(place)
    if agent.language and agent.language not in flow.languages:
        raise FlowError(
            f"flow {flow.name} speaks {', '.join(flow.languages)}, not {agent.language!r}: correct `language`"
        )
    return flow


def load_flows(settings: Settings) -> dict[str, Flow]:
    """Load every agent's flow, by agent name; what an author should look at is logged. Raises FlowError."""
    flows: dict[str, Flow] = {}
    known: dict[Path, Flow] = {}
    for name, agent in settings.agents.items():
        flows[name] = known[flow_place(settings, agent.flow)] = load_agent_flow(settings, agent, known)
    for flow in known.values():
        for text in flow.warnings:
            logger.warning("call script", extra={"problem": text})
    return flows
