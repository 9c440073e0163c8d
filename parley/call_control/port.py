"""The port through which Parley controls calls on any PBX.

`tests/contract/test_call_control.py` defines it: the fake and every adapter pass the same suite.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from parley.call_control.events import CallEvent
from parley.call_control.vocabulary import (
    AudioTarget,
    ConnectAudio,
    HangupCause,
    Leg,
    LegId,
    OriginateRequest,
    TransferTarget,
)


class CallControl(Protocol):
    """Control of the legs that a PBX has put in our hands.

    Every method that names a leg raises LegGone when the leg has ended or left, PbxRefused when the PBX says
    no, PbxUnavailable when there is no connection or no answer in time, InvalidRequest for arguments that no
    PBX could carry out. A cancelled call may or may not have taken effect on the PBX.
    """

    def events(self) -> AsyncIterator[CallEvent]:
        """Yield what the PBX tells us, in its order, until the adapter is closed. One consumer."""
        ...

    async def legs(self) -> list[Leg]:
        """Return the party legs now in our hands (media legs of our own never count).

        At the start of a process these are the callers whom an earlier one has left; legs that it was calling are
        hung up.
        """
        ...

    async def claim(self, leg_id: LegId) -> None:
        """Take charge of a leg that an earlier process of ours has left: the PBX does not take it back meanwhile.

        Legs that are offered, or commanded, are claimed by that. Ends when the leg is sent away, or this process ends.
        """
        ...

    async def originate(self, request: OriginateRequest) -> LegId:
        """Start an outbound leg and return its id at once.

        LegRinging, then LegAnswered or LegEnded (with the Q.850 cause) follow as events.
        """
        ...

    async def ring(self, leg_id: LegId) -> None:
        """Let an offered leg hear ringing."""
        ...

    async def answer(self, leg_id: LegId) -> None:
        """Answer an offered leg. Answering an answered leg does nothing."""
        ...

    async def attach_audio(self, leg_id: LegId, target: AudioTarget, connect: ConnectAudio) -> None:
        """Connect the leg's audio, both ways, with `target`; possible before the answer. When it returns, audio flows.

        connect: called once, as soon as the PBX has named its end; opens ours. What it raises is passed on, and the
        PBX's end is deleted. It gets the adapter's own deadline for a request.
        Frames sent before the leg is answered are lost, not queued. Ends with the leg, or when the leg leaves.
        A second call replaces the first connection. Also raises InvalidRequest for a codec that the transport does
        not carry both ways.
        """
        ...

    async def audio_sent(self, leg_id: LegId) -> int | None:
        """Return how many packets of audio the PBX has sent to the party; None where it does not tell."""
        ...

    async def send_dtmf(self, leg_id: LegId, digits: str) -> None:
        """Send keys to the party. Digits are `0123456789*#ABCD`; anything else raises InvalidRequest."""
        ...

    async def hold(self, leg_id: LegId, music: bool) -> None:
        """Start (or stop, with False) music for the leg; its audio connection stays."""
        ...

    async def join(self, leg_id: LegId, other_id: LegId) -> None:
        """Let two legs hear each other (an attached audio connection hears both)."""
        ...

    async def part(self, leg_id: LegId, other_id: LegId) -> None:
        """Undo join: the legs no longer hear each other; each keeps its own audio connection, if any."""
        ...

    async def transfer(self, leg_id: LegId, target: TransferTarget) -> None:
        """Send the leg elsewhere and let go of it (blind): a place in the dialplan, or a SIP address.

        LegLeft or LegEnded follows. A SIP target is only requested here; the far side may still refuse.
        """
        ...

    async def continue_in_dialplan(self, leg_id: LegId, variables: Mapping[str, str]) -> None:
        """Set channel variables, then let the dialplan go on after the step that handed us the leg.

        Variable names are `[A-Z0-9_]+`; control characters in values are removed. LegLeft follows.
        """
        ...

    async def hangup(
        self,
        leg_id: LegId,
        cause: HangupCause = HangupCause.NORMAL_CLEARING,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Set channel variables (rules as in continue_in_dialplan), then end the leg with this cause. LegEnded follows.

        The dialplan sees the variables where it deals with hang-ups (Asterisk: extension `h`).
        """
        ...

    async def aclose(self) -> None:
        """Close the connection; legs stay as they are. May be called twice."""
        ...
