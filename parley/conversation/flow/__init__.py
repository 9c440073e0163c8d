"""Call scripts: YAML in, one Step per input out. No I/O after loading, no LLM."""

from parley.conversation.flow.flow import Flow
from parley.conversation.flow.loader import find_flow, load_flow
from parley.conversation.flow.run import FlowEnded, FlowRun

__all__ = ["Flow", "FlowEnded", "FlowRun", "find_flow", "load_flow"]
