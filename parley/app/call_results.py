"""What the dialplan gets back: the flow's result as channel variables (docs/dialplan.md lists them)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from parley.conversation.flow.step import FlowResult


class ParleyStatus(StrEnum):
    """PARLEY_STATUS: what the dialplan should do next."""

    SERVED = "SERVED"
    """The conversation is over, nothing is left to do."""
    TRANSFER = "TRANSFER"
    """The caller wants a person: PARLEY_TRANSFER_TO says where."""
    BUSY = "BUSY"
    """This node takes no more calls now."""
    FAILED = "FAILED"
    """The agent could not serve the call, or not to its end."""


_NOT_IN_A_NAME = re.compile(r"[^A-Z0-9_]")


def result_variables(status: ParleyStatus, result: FlowResult) -> dict[str, str]:
    """Return PARLEY_STATUS, PARLEY_OUTCOME, PARLEY_INTENT, PARLEY_SUMMARY and one PARLEY_SLOT_<NAME> per slot."""
    slots: Mapping[str, str] = {
        f"PARLEY_SLOT_{_NOT_IN_A_NAME.sub('_', name.upper())}": value for name, value in result.slots.items()
    }
    return {
        "PARLEY_STATUS": status.value,
        "PARLEY_OUTCOME": result.outcome,
        "PARLEY_INTENT": result.intent,
        "PARLEY_SUMMARY": result.summary,
        **slots,
    }


def refusal_variables(status: ParleyStatus, why: str) -> dict[str, str]:
    """Return the variables of a call that was not taken up; PARLEY_ERROR tells the author why."""
    return {"PARLEY_STATUS": status.value, "PARLEY_ERROR": why}
