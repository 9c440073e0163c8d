"""A media engine with a UDP port that its calls share; `RtpAudio` is one call on it."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from ipaddress import ip_address

from audio_fork.errors import NotConnectable, TooManyCalls
from audio_fork.media_engine import BLOCK_MS, EngineCall, MediaEngine, Timer
from audio_fork.sockets import Address, bind_udp
from media_core.engine import Engine, Session
from media_core.errors import EngineFull, EngineStopped, PeerAddressError

logger = logging.getLogger(__name__)

PACKET_OCTETS = 1280
"""What the kernel counts for a packet of 20 ms that waits."""


class RtpEngine(MediaEngine):
    """One engine, its port and its calls, over RTP and over connections."""

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

        host, ports: for calls that ask for a port of their own. by_peer: see `open()`. The others: see `MediaEngine`.
        """
        super().__init__(engine, monotonic=monotonic, call_later=call_later)
        self._host = host
        self._ports = ports
        self._by_peer: dict[Address, EngineCall] = {} if by_peer is None else by_peer
        """Calls that share a port, by the address that the PBX uses for each."""
        self._peers: dict[int, Address] = {}
        """The same by their handles."""
        self._alone: set[int] = set()
        """Handles of calls with ports of their own."""

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
        process, so that a call is found whose address the PBX gives to a call on another. The others, and what is
        raised: see `MediaEngine.open()`; NoFreePort besides.
        """
        sock = bind_udp(host, ports)
        try:
            native = Engine(sock, capacity=capacity, threaded=threaded, block_ms=BLOCK_MS)
            engine = cls(native, host, ports, by_peer=by_peer)
        except BaseException:
            sock.close()
            raise
        engine.run(core, threaded)
        _compare_buffer(sock, capacity)
        return engine

    def admit(self, codec: str, *, idle_frames: bool, peer_timeout_ms: int, own_port: bool) -> Session:
        """Open a session for a call over RTP. Raises TooManyCalls, NoFreePort."""
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
            self._peers[call.session.handle] = key

    def dismiss(self, call: EngineCall) -> None:
        """End a call's media."""
        self._alone.discard(call.session.handle)
        key = self._peers.pop(call.session.handle, None)
        if key is not None and self._by_peer.get(key) is call:
            del self._by_peer[key]
        super().dismiss(call)


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
