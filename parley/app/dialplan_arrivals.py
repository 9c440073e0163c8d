"""Callers who come by the dialplan application AudioSocket(): from the ticket to the offered leg and its audio.

The dialplan gets a ticket through `dialplan_door`, connects with it, and then the leg is offered like any other. A node
has one where `[asterisk.audiosocket_app]` is on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from audio_fork.audiosocket_audio import AudioSocketAudio
from audio_fork.audiosocket_server import AudioSocketServer
from audio_fork.errors import AudioForkError, NoPeer
from parley.app.call_results import ParleyStatus
from parley.call_control import AudioCodec, AudioPeer, AudioSocketTarget, AudioTarget, CallControlError, LegId
from parley.call_control.validation import without_control_characters

logger = logging.getLogger(__name__)

CODEC = AudioCodec.SLIN
"""All that AudioSocket() carries."""
_MAX_EXPLANATION = 200

Refusal = tuple[ParleyStatus, str, str]
"""What the dialplan is told, why in a stable word, and why in words."""
Admission = Callable[[Sequence[str], int], Refusal | None]
"""Says whether a call with these arguments can be taken now, besides so many that are on their way."""


class Offering(Protocol):
    """Who takes a caller's channel into our hands (ari_app.audiosocket_calls)."""

    async def offer(
        self, channel_id: str, connection_id: str, arguments: Sequence[str], let_go: Callable[[], None]
    ) -> LegId:
        """Offer the leg to whoever reads the events. Raises CallControlError."""
        ...

    async def disconnected(self, leg_id: LegId) -> None:
        """Find out what becomes of a leg whose connection is over; it may have ended or left."""
        ...


@dataclass(frozen=True, slots=True)
class ArrivedLine:
    """The audio connection that a caller has come with, as the call runner opens lines."""

    audio: AudioSocketAudio
    target: AudioTarget

    async def connect(self, peer: AudioPeer) -> None:
        """Make sure that it is there."""
        await self.audio.connected()


class DialplanArrivals:
    """Tickets that are out, and connections that their calls have not taken yet."""

    def __init__(
        self,
        control: Offering,
        server: AudioSocketServer,
        *,
        ready: Callable[[], bool],
        on_refused: Callable[[str], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        """ready: whether legs could be commanded now. on_refused: told, in a stable word, why there is no ticket.

        spawn: runs what waits for a caller, and for the end of the connection; who owns it ends it, and raises
        RuntimeError once it takes nothing more.
        """
        self._control = control
        self._server = server
        self._admission: Admission | None = None
        self._ready = ready
        self._on_refused = on_refused
        self._spawn = spawn
        self._on_their_way = 0
        self._arrived: dict[str, AudioSocketAudio] = {}
        """By connection id, until the call takes its audio or its leg is let go."""

    def open(self, admission: Admission) -> None:
        """Let callers come from now on whom `admission` does not refuse."""
        self._admission = admission

    def ticket(self, channel_id: str, arguments: Sequence[str]) -> str:
        """Expect a caller and return where to connect, as `TICKET@HOST:PORT`; or why not, as `BUSY:why`, `FAILED:why`.

        A ticket is valid once and for some seconds. channel_id: of the caller's channel; whether it is the one that
        comes is proved then.
        """
        refusal = self._refusal(arguments)
        if refusal is not None:
            return self._refused(refusal, channel_id)
        try:
            audio = self._server.expect(CODEC.value, digits=True)
        except AudioForkError as err:
            return self._refused((ParleyStatus.BUSY, "overload", str(err)), channel_id)
        receiving = self._receive(channel_id, tuple(arguments), audio)
        try:
            self._spawn(receiving)
        except RuntimeError:  # a task group that is ending takes no more tasks
            receiving.close()
            audio.close()
            return self._refused((ParleyStatus.FAILED, "stopping", "Parley is stopping"), channel_id)
        self._on_their_way += 1
        return f"{audio.connection_id}@{self._place}"

    def line(self, connection_id: str) -> ArrivedLine:
        """Return the audio that a leg has come with; once. Raises NoPeer when the leg was let go meanwhile."""
        audio = self._arrived.pop(connection_id, None)
        if audio is None:
            raise NoPeer("the caller's AudioSocket connection is over")
        host, port = self._server.address
        return ArrivedLine(audio, AudioSocketTarget(host, port, connection_id, CODEC))

    @property
    def _place(self) -> str:
        host, port = self._server.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _refusal(self, arguments: Sequence[str]) -> Refusal | None:
        if self._admission is None:
            return ParleyStatus.FAILED, "starting", "Parley is still starting"
        if not self._ready():
            return ParleyStatus.FAILED, "ami", "AMI is not connected, so the call could not be given back"
        return self._admission(arguments, self._on_their_way)

    def _refused(self, refusal: Refusal, channel_id: str) -> str:
        """Count and log a refusal, and return what the dialplan is told."""
        status, why, explanation = refusal
        self._on_refused(why)
        logger.warning("call not taken up", extra={"why": why, "problem": explanation, "leg_id": channel_id})
        return f"{status.value}:{without_control_characters(explanation)[:_MAX_EXPLANATION]}"

    async def _receive(self, channel_id: str, arguments: tuple[str, ...], audio: AudioSocketAudio) -> None:
        """Wait for the caller, offer the leg, and tell when its connection is over."""

        def let_go() -> None:
            self._arrived.pop(audio.connection_id, None)
            audio.close()

        try:
            await audio.connected()
            self._arrived[audio.connection_id] = audio
            leg_id = await self._control.offer(channel_id, audio.connection_id, arguments, let_go)
        except AudioForkError as err:
            logger.info("a ticket was not used", extra={"leg_id": channel_id, "code": err.code})
            return
        except CallControlError as err:
            self._on_refused("channel")
            logger.warning("call not taken up", extra={"why": "channel", "problem": str(err), "leg_id": channel_id})
            let_go()
            return
        finally:
            self._on_their_way -= 1
        await audio.over()
        await self._control.disconnected(leg_id)
