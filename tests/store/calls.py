"""Example records for the store's tests."""

from dataclasses import replace

from parley.conversation.flow.run_state import RunState
from parley.conversation.record import CallEnd, CallNote, CallStart, EndReason, Turn, TurnMoments, TurnTimings
from parley.conversation.resume_point import ResumePoint

NODE = "parley"
START = CallStart(
    call_id="1763791200.12",
    leg_id="1763791200.12",
    agent="reception",
    flow="appointment",
    language="en",
    direction="inbound",
    ani="+15551234567",
    dnis="100",
    started_at=1763791200.25,
    node=NODE,
)

GREETING = Turn(number=0, node="greet", at_ms=140, agent_text="Welcome.", agent_heard="Welcome.")

TURN = Turn(
    number=1,
    node="ask_day",
    at_ms=2310,
    caller_text="on tuesday",
    caller_keys="2#",
    confidence=0.875,
    rejected=True,
    interrupted_agent=True,
    agent_text="You are booked for Tuesday. Anything else?",
    agent_heard="You are booked for Tuesday.",
    timings=TurnTimings(
        endpoint_ms=400, asr_ms=80, llm_ms=0, tts_ms=12, playout_ms=20, response_ms=512, barge_in_ms=180
    ),
    moments=TurnMoments(
        last_speech_at_ms=3120,
        endpoint_at_ms=3520,
        final_at_ms=3600,
        first_token_at_ms=3600,
        speech_ready_at_ms=3612,
        first_sound_at_ms=3632,
    ),
)

POINT = ResumePoint(
    RunState(
        flow="appointment",
        fingerprint="0123456789abcdef",
        language="en",
        today="2025-11-22",
        node="ask_member",
        facts={"ani": "caf\udce9", "queue": "support"},
        slots={"day": "2025-11-25", "name": "José"},
        volunteered={"time": "09:00"},
        correctable=("day", "name"),
        confirming=True,
        confirmed_slot="member",
        confirmed_value="471508",
        failures=1,
    ),
    Turn(number=2, node="ask_member", at_ms=8400, caller_text="four seven", confidence=0.5, agent_text="I have 4 7."),
)

NOTE = CallNote(kind="engine_failed", at_ms=2900, details={"stage": "recognizer", "code": "engine_timeout"})

END = CallEnd(
    ended_at=1763791230.5,
    reason=EndReason.TRANSFERRED,
    outcome="booked",
    intent="book",
    summary="Wants Tuesday, 星期二.",
    transferred_to="reception-queue",
    hangup_cause=16,
    slots={"day": "tuesday", "name": "José"},
    recording="2026/11/22/1763791200.12.wav",
)


def start(call_id: str, started_at: float = START.started_at, agent: str = START.agent, node: str = NODE) -> CallStart:
    """Return an offered call like START."""
    return replace(START, call_id=call_id, leg_id=call_id, started_at=started_at, agent=agent, node=node)
