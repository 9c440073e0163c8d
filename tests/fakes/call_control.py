"""A PBX in memory: scriptable, and it remembers what was done to each leg.

Unit tests of the application drive it; the contract suite holds it to the behaviour of the real ones.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field, replace

from parley.call_control import (
    AudioPeer,
    AudioSocketPeer,
    AudioSocketTarget,
    AudioTarget,
    CallControlError,
    CallEvent,
    CallId,
    ConnectAudio,
    ControlTaken,
    DigitReceived,
    Direction,
    HangupCause,
    Leg,
    LegAnswered,
    LegEnded,
    LegGone,
    LegHeld,
    LegId,
    LegLeft,
    LegOffered,
    LegReplaced,
    LegRetrieved,
    LegRinging,
    LegState,
    OriginateRequest,
    PbxConnected,
    PbxLost,
    PbxUnavailable,
    QueueEvent,
    RtpPeer,
    RtpTarget,
    TransferTarget,
    WebSocketPeer,
)
from parley.call_control.validation import (
    checked_digits,
    checked_target,
    checked_variables,
    without_control_characters,
)


@dataclass(slots=True)
class LegRecord:
    """What was done to one leg, and what became of it; outlives the leg."""

    leg: Leg
    claimed: bool = False
    """Claimed on purpose, for a leg that an earlier process left."""
    ringing: bool = False
    answered_by_us: bool = False
    audio: AudioTarget | None = None
    """Where the leg's audio goes now; None before `attach_audio` and after the leg has ended or left."""
    audio_history: list[AudioTarget] = field(default_factory=list)
    packets_sent: int | None = None
    """Packets of audio that the PBX says it has sent to the party."""
    digits_sent: str = ""
    on_hold: bool = False
    """We play music to the party."""
    replaced_by: LegId | None = None
    """The leg that has taken this one's place."""
    held_by_party: bool = False
    """The party has put us on hold."""
    joined_with: set[LegId] = field(default_factory=set)
    variables_set: dict[str, str] = field(default_factory=dict)
    continued: bool = False
    transferred_to: TransferTarget | None = None
    hung_up_with: HangupCause | None = None
    """The cause that we gave; None when somebody else ended the leg."""
    ended_with: HangupCause | None = None
    left: bool = False

    @property
    def gone(self) -> bool:
        """Whether the leg has ended or left."""
        return self.left or self.ended_with is not None or self.replaced_by is not None


class FakeCallControl:
    """CallControl without a PBX. Methods in the present tense (`caller_arrives`) play the PBX's part."""

    def __init__(self, version: str = "fake 1.0") -> None:
        self.records: dict[LegId, LegRecord] = {}
        """Every leg that there ever was."""
        self.originated: list[OriginateRequest] = []
        self.closed = False
        self._version = version
        self._connected = True
        self._events: deque[CallEvent] = deque([PbxConnected(version)])
        self._news = asyncio.Event()
        self._next_number = 1
        self._refusals: dict[str, CallControlError] = {}

    # The PBX's and the parties' part

    def caller_arrives(
        self,
        *arguments: str,
        leg_id: str = "",
        ani: str = "+15550100",
        ani_name: str = "",
        dnis: str = "100",
        variables: Mapping[str, str] | None = None,
        already_answered: bool = False,
        left_behind: bool = False,
        connection_id: str = "",
    ) -> Leg:
        """Offer an inbound leg, with what the dialplan passed on; left_behind: it was offered to another process."""
        identity = LegId(leg_id or self._fresh_id("in"))
        leg = Leg(
            id=identity,
            call_id=CallId(identity),
            direction=Direction.INBOUND,
            state=LegState.ANSWERED if already_answered else LegState.OFFERED,
            ani=ani,
            ani_name=ani_name,
            dnis=dnis,
            arguments=arguments,
            variables=dict(variables or {}),
            connection_id=connection_id,
        )
        self.records[identity] = LegRecord(leg)
        if not left_behind:
            self._tell(LegOffered(leg))
        return leg

    def caller_hangs_up(self, leg_id: LegId, cause: HangupCause = HangupCause.NORMAL_CLEARING) -> None:
        """End a leg from the party's side; also how an outbound attempt fails. Not told for a leg that has left."""
        if not self.records[leg_id].left:
            self._end(self._present(leg_id), cause)

    def callee_rings(self, leg_id: LegId) -> None:
        """Let the far end of an outbound leg ring."""
        record = self._present(leg_id)
        record.leg = replace(record.leg, state=LegState.RINGING)
        self._tell(LegRinging(leg_id))

    def callee_answers(self, leg_id: LegId) -> None:
        """Let the far end of an outbound leg answer."""
        record = self._present(leg_id)
        record.leg = replace(record.leg, state=LegState.ANSWERED)
        self._tell(LegAnswered(record.leg))

    def presses(self, leg_id: LegId, digits: str, duration_ms: int = 100) -> None:
        """Let the party press keys, one event each."""
        self._present(leg_id)
        for digit in checked_digits(digits):
            self._tell(DigitReceived(leg_id, digit, duration_ms))

    def party_holds(self, leg_id: LegId) -> None:
        """Let the party put us on hold; telling it twice is telling it once."""
        record = self._present(leg_id)
        if not record.held_by_party:
            record.held_by_party = True
            self._tell(LegHeld(leg_id))

    def party_retrieves(self, leg_id: LegId) -> None:
        """Let the party come back from hold."""
        record = self._present(leg_id)
        if record.held_by_party:
            record.held_by_party = False
            self._tell(LegRetrieved(leg_id))

    def another_takes_the_place(self, leg_id: LegId, ani: str = "+15550111") -> Leg:
        """Let somebody connect us with another party and go: the audio connection goes on with the new leg."""
        old = self._present(leg_id)
        leg = replace(old.leg, id=LegId(self._fresh_id("moved")), state=LegState.ANSWERED, ani=ani, ani_name="")
        self.records[leg.id] = LegRecord(leg, audio=old.audio, audio_history=list(old.audio_history))
        old.replaced_by, old.audio = leg.id, None
        self._tell(LegReplaced(leg_id, leg))
        return leg

    def dialplan_takes(self, leg_id: LegId) -> None:
        """Let the PBX take the leg away from us (its own timer, an operator's redirect)."""
        self._leave(self._present(leg_id))

    def queue_tells(self, *events: QueueEvent) -> None:
        """Tell what becomes of a leg in a queue; usually it has left before."""
        for event in events:
            self._tell(event)

    def connection_breaks(self, reason: str = "the PBX closed the connection") -> None:
        """Lose the PBX: every request fails until `connection_returns`."""
        self._connected = False
        self._tell(PbxLost(reason))

    def another_client_takes_control(self, of: Collection[LegId] | None = None) -> None:
        """Tell somebody else about these legs of ours (all of them) from now on; commands still work."""
        self._tell(ControlTaken("another client took over", frozenset(self.records if of is None else of)))
        self._tell(PbxLost("another client took over"))

    def connection_returns(self) -> None:
        """Find the PBX again; its legs are as they were."""
        self._connected = True
        self._tell(PbxConnected(self._version))

    def refuse(self, method: str, error: CallControlError) -> None:
        """Make the next call of this method raise `error`."""
        self._refusals[method] = error

    def record(self, leg_id: LegId) -> LegRecord:
        """Return what was done to the leg, also after its end."""
        return self.records[leg_id]

    # The port

    async def events(self) -> AsyncIterator[CallEvent]:
        """Yield what was told so far, then what is told next, until closed."""
        while True:
            while self._events:
                yield self._events.popleft()
            if self.closed:
                return
            self._news.clear()
            await self._news.wait()

    async def legs(self) -> list[Leg]:
        """Return the legs that have neither ended nor left."""
        self._check("legs")
        return [record.leg for record in self.records.values() if not record.gone]

    async def claim(self, leg_id: LegId) -> None:
        """Note that somebody takes care of the leg."""
        self._asked("claim", leg_id).claimed = True

    async def originate(self, request: OriginateRequest) -> LegId:
        """Start an outbound leg; `callee_rings` and `callee_answers` play its far end."""
        self._check("originate")
        variables = checked_variables(request.variables)
        identity = LegId(self._fresh_id("out"))
        self.originated.append(request)
        self.records[identity] = LegRecord(
            Leg(
                id=identity,
                call_id=CallId(identity),
                direction=Direction.OUTBOUND,
                state=LegState.RINGING,
                dnis=request.destination,
                arguments=request.arguments,
                variables=variables,
            )
        )
        return identity

    async def ring(self, leg_id: LegId) -> None:
        """Let the leg hear ringing."""
        record = self._asked("ring", leg_id)
        record.ringing = True
        if record.leg.state is LegState.OFFERED:
            record.leg = replace(record.leg, state=LegState.RINGING)

    async def answer(self, leg_id: LegId) -> None:
        """Answer the leg, once."""
        record = self._asked("answer", leg_id)
        if record.leg.state is not LegState.ANSWERED:
            record.answered_by_us = True
            record.leg = replace(record.leg, state=LegState.ANSWERED)
            self._tell(LegAnswered(record.leg))

    async def attach_audio(self, leg_id: LegId, target: AudioTarget, connect: ConnectAudio) -> None:
        """Note the target once our end stands; `audio_peer` names the PBX's end, where nobody is."""
        checked_target(target)
        record = self._asked("attach_audio", leg_id)
        await connect(self.audio_peer(target))
        record = self._present(leg_id)
        record.audio = target
        record.audio_history.append(target)

    def audio_peer(self, target: AudioTarget) -> AudioPeer:
        """Return the PBX's end for a target; a test that wants somebody there replaces this."""
        number = self._take_number()
        match target:
            case RtpTarget(codec=codec):
                return RtpPeer("127.0.0.1", 10_000 + 2 * number, codec)
            case AudioSocketTarget(connection_id=connection_id, codec=codec):
                return AudioSocketPeer(connection_id, codec)
            case _:
                return WebSocketPeer(f"ws://127.0.0.1:9/media/{number}", target.codec)

    async def audio_sent(self, leg_id: LegId) -> int | None:
        """Return what `packets_sent` of the record says."""
        return self._asked("audio_sent", leg_id).packets_sent

    async def send_dtmf(self, leg_id: LegId, digits: str) -> None:
        """Note the digits."""
        checked_digits(digits)
        self._asked("send_dtmf", leg_id).digits_sent += digits

    async def hold(self, leg_id: LegId, music: bool) -> None:
        """Note the music."""
        self._asked("hold", leg_id).on_hold = music

    async def join(self, leg_id: LegId, other_id: LegId) -> None:
        """Note the joining on both legs."""
        first, second = self._asked("join", leg_id), self._asked("join", other_id)
        first.joined_with.add(other_id)
        second.joined_with.add(leg_id)

    async def part(self, leg_id: LegId, other_id: LegId) -> None:
        """Undo the joining on both legs."""
        first, second = self._asked("part", leg_id), self._asked("part", other_id)
        first.joined_with.discard(other_id)
        second.joined_with.discard(leg_id)

    async def transfer(self, leg_id: LegId, target: TransferTarget) -> None:
        """Note the target and let go of the leg."""
        record = self._asked("transfer", leg_id)
        record.transferred_to = target
        self._leave(record)

    async def continue_in_dialplan(self, leg_id: LegId, variables: Mapping[str, str]) -> None:
        """Note the variables and let go of the leg."""
        checked = checked_variables(variables)
        record = self._asked("continue_in_dialplan", leg_id)
        record.variables_set.update(checked)
        record.continued = True
        self._leave(record)

    async def hangup(
        self,
        leg_id: LegId,
        cause: HangupCause = HangupCause.NORMAL_CLEARING,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Note the variables and end the leg with this cause."""
        checked = checked_variables(variables or {})
        record = self._asked("hangup", leg_id)
        record.variables_set.update(checked)
        record.hung_up_with = cause
        self._end(record, cause)

    async def aclose(self) -> None:
        """End `events()`; may be called twice."""
        self.closed = True
        self._news.set()

    # Inside

    def _fresh_id(self, kind: str) -> str:
        return f"fake-{kind}-{self._take_number()}"

    def _take_number(self) -> int:
        number, self._next_number = self._next_number, self._next_number + 1
        return number

    def _tell(self, event: CallEvent) -> None:
        self._events.append(event)
        self._news.set()

    def _check(self, method: str) -> None:
        if self.closed or not self._connected:
            raise PbxUnavailable("the fake PBX is not connected")
        refusal = self._refusals.pop(method, None)
        if refusal is not None:
            raise refusal

    def _asked(self, method: str, leg_id: LegId) -> LegRecord:
        self._check(method)
        return self._present(leg_id)

    def _present(self, leg_id: LegId) -> LegRecord:
        record = self.records.get(leg_id)
        while record is not None and record.replaced_by is not None:
            record = self.records[record.replaced_by]
        if record is None or record.gone:
            raise LegGone(f"leg {without_control_characters(leg_id)} is not here")
        return record

    def _leave(self, record: LegRecord) -> None:
        record.left = True
        self._detach(record)
        self._tell(LegLeft(record.leg.id))

    def _end(self, record: LegRecord, cause: HangupCause) -> None:
        record.ended_with = cause
        self._detach(record)
        self._tell(LegEnded(record.leg.id, cause))

    def _detach(self, record: LegRecord) -> None:
        record.audio = None
        for other_id in record.joined_with:
            self.records[other_id].joined_with.discard(record.leg.id)
        record.joined_with.clear()
