"""Which call script an agent uses, and where it lies."""

from __future__ import annotations

from parley.app.resources import shipped
from parley.app.settings import AgentSettings, Settings
from parley.conversation.flow.loader import Flow, find_flow, load_flow


def load_flow_named(settings: Settings | None, name: str) -> Flow:
    """Load a flow by name or path, the site's own folders first. Raises FlowError."""
    own = settings.flow_folders if settings else ()
    return load_flow(find_flow(name, [*own, shipped("flows")]))


def load_agent_flow(settings: Settings, agent: AgentSettings) -> Flow:
    """Load the flow of an agent. Raises FlowError."""
    return load_flow_named(settings, agent.flow)
