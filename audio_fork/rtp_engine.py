"""A media engine on an event loop: one UDP port for many calls, whose events it hands to each of them.

Made by the wiring, one or a few per process; `RtpAudio` is one call on it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Protocol

from audio_fork.clock import Timer
from audio_fork.errors import NotConnectable, TooManyCalls
from audio_fork.sockets import Address, bind_udp
from media_core.engine import Engine, Session
from media_core.engine_events import EventKind
from media_core.engine_stats import EngineStats
from media_core.errors import EngineFull, EngineStopped, PeerAddressError

logger = logging.getLogger(__name__)

BLOCK_MS = 60
"""Rare enough for Python, short enough for recognition."""
PACKET_OCTETS = 1280
"""What the kernel counts for a packet of 20 ms that waits."""


class EngineCall(Protocol):
    """A call on an engine."""

    @property
    def session(self) -> Session:
        """Its place there."""
        ...

    def take(self, kind: EventKind, position: int, value: int) -> None:
        """Take an event; what the numbers mean is said in `EventKind`."""
        ...

    def fail(self, reason: str) -> None:
        """Report PeerGone and end."""
        ...


class RtpEngine:
    """One engine, its port and its calls. All methods belong to the event loop's thread; the media have their own."""

    def __init__(
        self,
        engine: Engine,
        host: str,
        ports: range | None,
        *,
        by_peer: dict[Address, EngineCall] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
    ) -> None:
        """Take over an engine at rest; `open()` is the usual way.

        host, ports: for calls that ask for a port of their own. by_peer: see `open()`. monotonic, call_later: time for
        an engine without a thread; None means the running loop's.
        """
        self._engine = engine
        self._host = host
        self._ports = ports
        self._monotonic = monotonic
        self._call_later = call_later
        self._calls: dict[int, EngineCall] = {}
        self._by_peer: dict[Address, EngineCall] = {} if by_peer is None else by_peer
        """Calls that share a port, by the address that the PBX uses for each."""
        self._alone: set[int] = set()
        """Handles of calls with ports of their own."""
        self._timer: Timer | None = None
        self._reading: asyncio.AbstractEventLoop | None = None
        self._final: EngineStats | None = None

    @classmethod
    def open(
        cls,
        host: str = "127.0.0.1",
        ports: range | None = None,
        *,
        by_peer: dict[Address, EngineCall] | None = None,
        capacity: int = 16,
        core: int | None = None,
        threaded: bool = True,
    ) -> RtpEngine:
        """Bind a port and run an engine on the running loop.

        host: a numeric address of this machine. ports: to choose from, None for any. by_peer: one for all engines of a
        process, so that a call is found whose address the PBX gives to a call on another. capacity: calls at once.
        core: the processor that the media shall run on. threaded: False runs them on the event loop itself.
        Raises NoFreePort; EngineStartError of media_core when the system refuses what the engine needs.
        """
        sock = bind_udp(host, ports)
        try:
            native = Engine(sock, capacity=capacity, threaded=threaded, block_ms=BLOCK_MS)
            engine = cls(native, host, ports, by_peer=by_peer)
        except BaseException:
            sock.close()
            raise
        try:
            if threaded:
                engine.start(core)
            else:
                engine.step()
        except BaseException:
            engine.close()
            raise
        _compare_buffer(sock, capacity)
        return engine

    @property
    def calls(self) -> int:
        """How many have a place."""
        return len(self._calls)

    def stats(self) -> EngineStats:
        """Return the counts since the start; after the end those of then."""
        return self._final or self._engine.stats()

    def lateness_s(self, share: float) -> float:
        """Return how late this share of all ticks began at most. Raises EngineStopped after the end."""
        return self._engine.lateness_s(share)

    def close(self) -> None:
        """Fail the calls that are left, stop, and give the port back. May be called twice."""
        if self._final is not None:
            return
        for call in tuple(self._calls.values()):
            call.fail("the media engine has stopped")
        if self._reading is not None:
            self._reading.remove_reader(self._engine.fileno())
            self._reading = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._final = self._engine.stats()
        self._engine.close()

    # --- running ----------------------------------------------------------------------------------------------

    def start(self, core: int | None = None) -> None:
        """Let the engine run on a thread of its own and wake the running loop."""
        self._engine.start(core=core)
        self._reading = asyncio.get_running_loop()
        self._reading.add_reader(self._engine.fileno(), self.poll)

    def step(self) -> None:
        """Run what is due, and come back when more is."""
        now_s = self._monotonic()
        due_s = self._engine.step(now_s)
        call_later = self._call_later or asyncio.get_running_loop().call_later
        self._timer = call_later(max(0.0, due_s - now_s), self.step)
        self.poll()

    def poll(self) -> None:
        """Hand out the events that wait.

        A call that raises is failed, and the others get theirs all the same: this is the outer task of every call's
        media.
        """
        for handle, position, value, _, _, _, kind, _ in self._engine.events().tolist():
            call = self._calls.get(handle)
            if call is None:
                continue
            try:
                call.take(EventKind(kind), position, value)
            except Exception:
                logger.exception("a call's audio failed and is given up")
                call.fail("internal error")

    # --- calls ------------------------------------------------------------------------------------------------

    def admit(self, codec: str, *, idle_frames: bool, peer_timeout_ms: int, own_port: bool) -> Session:
        """Open a session for a call. Raises TooManyCalls, NoFreePort."""
        sock = bind_udp(self._host, self._ports) if own_port else None
        try:
            session = self._engine.open(codec, sock, idle_frames=idle_frames, peer_timeout_ms=peer_timeout_ms)
        except BaseException as err:
            if sock is not None:
                sock.close()
            if isinstance(err, EngineFull):
                raise TooManyCalls("the media engine carries as many calls as it was made for") from err
            raise
        if own_port:
            self._alone.add(session.handle)
        return session

    def enter(self, call: EngineCall) -> None:
        """Hand the events of its session to this call from now on."""
        self._calls[call.session.handle] = call

    def connect(self, call: EngineCall, peer: Address) -> None:
        """Start a call's media.

        The PBX gives its addresses to one leg at a time: whoever had this one before is gone, and is told so. Not so
        for a call with a port of its own, which is for a PBX whose legs cannot be told apart.
        Raises NotConnectable when the address is not numeric, or the engine does not obey.
        """
        key = _one_spelling(peer)
        shares = call.session.handle not in self._alone
        before = self._by_peer.get(key) if shares else None
        if before is not None:
            before.fail("the PBX gave its address to another call")
        try:
            call.session.connect(*peer)
        except PeerAddressError as err:
            raise NotConnectable(f"the PBX must name a numeric address for its audio: {err}") from err
        except EngineStopped as err:
            raise NotConnectable(f"the media engine cannot take the call: {err}") from err
        if shares:
            self._by_peer[key] = call

    def dismiss(self, call: EngineCall, peer: Address | None) -> None:
        """End a call's media. peer: what it was connected with."""
        self._calls.pop(call.session.handle, None)
        self._alone.discard(call.session.handle)
        key = None if peer is None else _one_spelling(peer)
        if key is not None and self._by_peer.get(key) is call:
            del self._by_peer[key]
        call.session.close()


def _one_spelling(peer: Address) -> Address:
    """Return the address as every other spelling of it gives it. Raises NotConnectable when it is not numeric."""
    try:
        host = ip_address(peer[0])
    except ValueError as err:
        raise NotConnectable(f"the PBX must name a numeric address for its audio, not {peer[0]!r}") from err
    return str(getattr(host, "ipv4_mapped", None) or host), peer[1]


def _compare_buffer(sock: socket.socket, calls: int) -> None:
    """Say so when the port cannot hold one packet of each call: a burst of all at once loses some."""
    granted = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    if granted < calls * PACKET_OCTETS:
        logger.warning(
            "the receive buffer of the RTP port is too small for so many calls: packets may be lost; "
            "raise net.core.rmem_max",
            extra={"calls": calls, "granted_octets": granted, "rmem_max": calls * PACKET_OCTETS},
        )
