"""Decide from what the phones recorded whether each step of the demo really happened."""

from __future__ import annotations

import calendar
import wave
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median

from demo.caller import INTERRUPT_AFTER_S, MEMBER_NUMBER
from demo.performance import Performance
from parley.conversation.flow.step import Line
from parley.conversation.record import Turn
from parley.conversation.spoken import sentences_of
from parley.store import CallRecord
from tests.support.hearing import HEARD, Heard, first_sound_at, heard, level_dbfs, speech_segments
from tests.support.recording import RATE_HZ, Recording, load_wav
from tests.support.speech import caller_says

AGENT_VOICE = "slt"
MUSIC_DBFS = -50.0
AGREE_MS = 150
"""How far the phone's and Parley's own response times may differ: network, jitter buffer and one frame."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must have happened."""

    name: str
    passed: bool
    seen: str
    """The figure or fact that decided."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks, and the figures of the report."""

    checks: tuple[Check, ...]
    greeting_ms: int
    barge_in_ms: int
    whisper_at_agent: Heard
    whisper_at_caller: Heard
    bridged_ms: int
    queued_ms: int
    rang_ms: int

    @property
    def passed(self) -> bool:
        """Whether everything happened."""
        return all(check.passed for check in self.checks)


def judge(performance: Performance, record: CallRecord, whisper: Path | None) -> Verdict:
    """Compare the phones' recordings with what was said. whisper: the summary's sound file; None: none was made."""
    handover = performance.handover
    greeting_ms = _ms(performance.greeting_s - performance.answered_s)
    interrupted = next(turn for turn in performance.turns if turn.interrupts)
    barge_in_ms = _ms(performance.interrupted_silence_s - interrupted.from_s)
    summary = load_wav(whisper) if whisper is not None else b""
    at_agent = _heard_in_pieces(handover.heard, summary)
    at_caller = heard(performance.heard.samples(), summary)
    agent_at_caller = _heard_in_pieces(performance.heard, handover.agent_words)
    agent_heard_s = performance.heard.start_s + agent_at_caller.offset_ms / 1000
    asked_s = performance.turns[-1].to_s
    whisper_end_s = _last_sound_before(handover.heard, handover.agent_spoke[0])
    music_end_s = _last_sound_before(performance.heard, agent_heard_s)
    checks = (
        *_words_heard(performance, record),
        _response_times(performance, record),
        _barge_in(performance, record),
        Check("outcome", record.end is not None and record.end.transferred_to == "support", _outcome(record)),
        _slots(record),
        Check("queue agent hears the whisper", at_agent.clearly, f"correlation {at_agent.correlation:.2f}"),
        Check("caller does not hear it", at_caller.not_at_all, f"correlation {at_caller.correlation:.2f}"),
        _music(performance),
        Check(
            "caller hears the queue agent", agent_at_caller.clearly, f"correlation {agent_at_caller.correlation:.2f}"
        ),
        _heard_check("queue agent hears the caller", handover.heard, handover.caller_words),
        _recording(record, performance),
    )
    return Verdict(
        checks=checks,
        greeting_ms=greeting_ms,
        barge_in_ms=barge_in_ms,
        whisper_at_agent=at_agent,
        whisper_at_caller=at_caller,
        bridged_ms=_ms(music_end_s - whisper_end_s),
        queued_ms=_ms(_music_from_s(performance, record) - asked_s),
        rang_ms=_ms(handover.rang_s - asked_s),
    )


def answered_turns(record: CallRecord) -> list[Turn]:
    """Return the turns in which the caller did something."""
    return [turn for turn in record.turns if turn.caller_text or turn.caller_keys]


def _words_heard(performance: Performance, record: CallRecord) -> list[Check]:
    """Each thing that Parley says the caller heard must be on the caller's phone."""
    checks = []
    for turn in record.turns:
        if not turn.agent_heard:
            continue
        first = sentences_of([Line(turn.agent_text)], "en")[0].words.said
        reference = _trimmed(caller_says(first, AGENT_VOICE))[: _octets(INTERRUPT_AFTER_S)]
        found = heard(performance.heard.samples(), reference)
        name = f"caller hears turn {turn.number}: {first[:40]}"
        checks.append(Check(name, found.clearly, f"correlation {found.correlation:.2f}"))
    return checks


def _response_times(performance: Performance, record: CallRecord) -> Check:
    """Parley's own figures must agree with the phone's; one turn may have met a machine that stood still."""
    own = [turn.timings.response_ms for turn in answered_turns(record)]
    seen = [turn.response_ms for turn in performance.turns]
    apart = [mine is None or abs(mine - phone) > AGREE_MS for mine, phone in zip(own, seen, strict=False)]
    agree = len(own) == len(seen) and sum(apart) <= 1
    return Check("response times agree with the phone", agree, f"phone {seen}, Parley {own}")


def _barge_in(performance: Performance, record: CallRecord) -> Check:
    """What the agent had still wanted to say must not have been heard before its next answer."""
    turn = next((turn for turn in record.turns if turn.interrupted_agent), None)
    cut, interruption = answered_turns(record)[0], performance.turns[1]
    unheard = _trimmed(caller_says(sentences_of([Line(cut.agent_text)], "en")[-1].words.said, AGENT_VOICE))
    rest = heard(performance.heard.samples(interruption.from_s, interruption.answered_s), unheard)
    return Check(
        "the interruption was taken as one",
        turn is not None and rest.not_at_all,
        f"turn {turn.number if turn else '-'}; the rest of the read-back was heard with {rest.correlation:.2f}",
    )


def _outcome(record: CallRecord) -> str:
    return "call not ended" if record.end is None else f"{record.end.outcome}, {record.end.reason.value}"


def _slots(record: CallRecord) -> Check:
    slots = dict(record.end.slots) if record.end else {}
    is_thursday = "day" in slots and date.fromisoformat(slots["day"]).weekday() == calendar.THURSDAY
    understood = is_thursday and slots.get("member") == MEMBER_NUMBER
    return Check("Thursday and the keyed number were understood", understood, str(slots))


def _music(performance: Performance) -> Check:
    handover = performance.handover
    waiting = performance.heard.samples(handover.rang_s, handover.whisper_ended_s)
    level = level_dbfs(waiting)
    return Check("caller hears music while waiting", level > MUSIC_DBFS, f"{level:.0f} dBFS")


def _music_from_s(performance: Performance, record: CallRecord) -> float:
    """Return when the music began: the first sound after the agent's last words."""
    words = _trimmed(caller_says(sentences_of([Line(record.turns[-1].agent_text)], "en")[-1].words.said, AGENT_VOICE))
    spoken_s = _where(performance.heard, words)[1] + len(words) / 2 / RATE_HZ
    return first_sound_at(performance.heard, spoken_s + 0.1) or performance.handover.rang_s


def _last_sound_before(recording: Recording, at_s: float) -> float:
    """Return when the last sound before this moment ended."""
    segments = speech_segments(recording.samples(recording.start_s, at_s - 0.02), join_ms=20)
    return recording.start_s + segments[-1].end_s


def _where(recording: Recording, words: bytes) -> tuple[float, float]:
    """Return how well the words were heard, and when they began (monotonic s)."""
    found = heard(recording.samples(), words)
    return found.correlation, recording.start_s + found.offset_ms / 1000


def _heard_in_pieces(recording: Recording, words: bytes) -> Heard:
    """Look for each second of the words by itself; the median counts, so that a stall in between does not.

    The offset is that of the first piece.
    """
    line = recording.samples()
    spoken = _trimmed(words)
    pieces = [heard(line, spoken[start : start + _octets(1.0)]) for start in range(0, len(spoken), _octets(1.0))]
    if not pieces:
        return Heard(0.0, 0.0)
    return Heard(median(piece.correlation for piece in pieces), pieces[0].offset_ms)


def _heard_check(name: str, recording: Recording, words: bytes) -> Check:
    found = _heard_in_pieces(recording, words)
    return Check(name, found.clearly, f"correlation {found.correlation:.2f}")


def _recording(record: CallRecord, performance: Performance) -> Check:
    """The stereo recording must hold the caller left and the agent right."""
    path = Path(record.end.recording) if record.end else Path()
    if not path.is_file():
        return Check("stereo recording", False, "there is no file")
    with wave.open(str(path)) as file:
        channels, seconds = file.getnchannels(), file.getnframes() / file.getframerate()
        frames = file.readframes(file.getnframes())
    left = b"".join(frames[i : i + 2] for i in range(0, len(frames), 4))
    spoken = [turn.did for turn in performance.turns if not turn.did.startswith("keys")]
    weakest = min(heard(left, _trimmed(caller_says(words))).correlation for words in spoken)
    seen = f"{seconds:.1f} s, caller on the left with correlation {weakest:.2f} or more"
    return Check("stereo recording", channels == 2 and weakest >= HEARD, seen)


def _trimmed(pcm: bytes) -> bytes:
    """Return the speech without the silence around it: the greeting's own was cut off by its engine."""
    segments = speech_segments(pcm)
    return pcm[_octets(segments[0].start_s) : _octets(segments[-1].end_s)] if segments else b""


def _octets(seconds: float) -> int:
    return 2 * round(seconds * RATE_HZ)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
