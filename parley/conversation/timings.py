"""Where the time between the caller's last word and the agent's first went, from audio positions."""

from __future__ import annotations

from dataclasses import dataclass

from parley.conversation.record import TurnMoments, TurnTimings


def ms_of(samples: int, rate_hz: int) -> int:
    """Convert samples to ms, rounded."""
    return (samples * 1000 + rate_hz // 2) // rate_hz


def samples_of(ms: int, rate_hz: int) -> int:
    """Convert ms to samples."""
    return ms * rate_hz // 1000


@dataclass(slots=True)
class TurnTimeline:
    """Positions of one turn's stages; None where a stage has not occurred."""

    rate_hz: int
    began: int | None = None
    """One past the caller's last speech sample; the last key; for the greeting, the answer; None after silence."""
    decided: int | None = None
    """The turn was found to be over."""
    final: int | None = None
    """The final transcript was there."""
    first_token: int | None = None
    """The first token of a language model's reply was there."""
    speech_ready: int | None = None
    """The first sample of the reply was there."""
    first_sound: int | None = None
    """The first sample of the reply was handed to the PBX."""
    interrupting: int | None = None
    """The caller's first speech sample, where it interrupted the agent."""
    cleared: int | None = None
    """The agent's audio was cleared."""

    def timings(self) -> TurnTimings:
        """Return the stages in ms; those present add up to the response exactly."""
        stages: dict[str, int | None] = {}
        last = self.began
        for name, position in (
            ("endpoint_ms", self.decided),
            ("asr_ms", self.final),
            ("llm_ms", self.first_token),
            ("tts_ms", self.speech_ready),
            ("playout_ms", self.first_sound),
        ):
            stages[name] = self._between(last, position)
            if last is not None and position is not None:
                last = max(last, position)
        response = self._between(self.began, last) if self.first_sound is not None else None
        return TurnTimings(
            endpoint_ms=stages["endpoint_ms"],
            asr_ms=stages["asr_ms"],
            llm_ms=stages["llm_ms"],
            tts_ms=stages["tts_ms"],
            playout_ms=stages["playout_ms"],
            response_ms=response,
            barge_in_ms=self._between(self.interrupting, self.cleared),
        )

    def moments(self) -> TurnMoments:
        """Return when each stage was reached, in ms on the session clock."""
        return TurnMoments(
            last_speech_at_ms=self._at(self.began),
            endpoint_at_ms=self._at(self.decided),
            final_at_ms=self._at(self.final),
            first_token_at_ms=self._at(self.first_token),
            speech_ready_at_ms=self._at(self.speech_ready),
            first_sound_at_ms=self._at(self.first_sound),
        )

    def _at(self, position: int | None) -> int | None:
        return None if position is None else ms_of(position, self.rate_hz)

    def _between(self, start: int | None, end: int | None) -> int | None:
        """Return the ms between two positions, each rounded by itself, so that neighbouring stages add up."""
        if start is None or end is None:
            return None
        return max(0, ms_of(end, self.rate_hz) - ms_of(start, self.rate_hz))
