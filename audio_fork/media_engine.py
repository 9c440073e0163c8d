"""A media engine on an event loop: it hands each call the events of its session.

`RtpEngine` adds a UDP port for calls over RTP; calls over a connection need none. Made by the wiring, one or a few per
process; what is derived from `EngineAudio` is one call on it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from audio_fork.errors import TooManyCalls
from media_core.engine import Engine, Session
from media_core.engine_events import EventKind
from media_core.engine_stats import EngineStats
from media_core.errors import EngineFull

logger = logging.getLogger(__name__)

BLOCK_MS = 60
"""Rare enough for Python, short enough for recognition."""


class Timer(Protocol):
    """A callback scheduled."""

    def cancel(self) -> None:
        """Do not call it."""
        ...


class EngineCall(Protocol):
    """A call on an engine."""

    @property
    def session(self) -> Session:
        """Its place there."""
        ...

    def take(self, kind: EventKind, position: int, value: int, code: int) -> None:
        """Take an event; what the numbers mean is said in `EventKind`."""
        ...

    def fail(self, reason: str) -> None:
        """Report PeerGone and end."""
        ...


class MediaEngine:
    """One engine and its calls. All methods belong to the event loop's thread; the media have their own."""

    def __init__(
        self,
        engine: Engine,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        call_later: Callable[[float, Callable[[], None]], Timer] | None = None,
    ) -> None:
        """Take over an engine at rest; `open()` is the usual way.

        monotonic, call_later: its time; call_later None means the running loop's.
        """
        self._engine = engine
        self._monotonic = monotonic
        self._call_later = call_later
        self._calls: dict[int, EngineCall] = {}
        self._timer: Timer | None = None
        self._reading: asyncio.AbstractEventLoop | None = None
        self._final: EngineStats | None = None

    @classmethod
    def open(cls, *, capacity: int = 16, core: int | None = None, threaded: bool = True) -> MediaEngine:
        """Run an engine for calls over connections on the running loop.

        capacity: calls at once. core: the processor that the media shall run on. threaded: False runs them on the
        event loop itself. Raises EngineStartError of media_core when the system refuses what the engine needs.
        """
        engine = cls(Engine(capacity=capacity, threaded=threaded, block_ms=BLOCK_MS))
        engine.run(core, threaded)
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
        """Fail the calls that are left, stop, and give everything back. May be called twice."""
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

    def run(self, core: int | None, threaded: bool) -> None:
        """Begin, on a thread or on the running loop; closes the engine where that fails."""
        try:
            if threaded:
                self.start(core)
            else:
                self.step()
        except BaseException:
            self.close()
            raise

    def start(self, core: int | None = None) -> None:
        """Let the engine run on a thread of its own and wake the running loop."""
        self._engine.start(core=core)
        self._reading = asyncio.get_running_loop()
        self._reading.add_reader(self._engine.fileno(), self.poll)

    def step(self) -> None:
        """Run what is due, and come back when more is."""
        now_s = self._monotonic()
        due_s = self._engine.step(now_s)
        self._timer = self.call_later(max(0.0, due_s - now_s), self.step)
        self.poll()

    def poll(self) -> None:
        """Hand out the events that wait.

        A call that raises is failed, and the others get theirs all the same: this is the outer task of every call's
        media.
        """
        for handle, position, value, _, _, _, kind, code in self._engine.events().tolist():
            call = self._calls.get(handle)
            if call is None:
                continue
            try:
                call.take(EventKind(kind), position, value, code)
            except Exception:
                logger.exception("a call's audio failed and is given up")
                call.fail("internal error")

    def now_s(self) -> float:
        """Return the engine's time, in seconds."""
        return self._monotonic()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call back in the engine's time."""
        call_later = self._call_later or asyncio.get_running_loop().call_later
        return call_later(delay_s, callback)

    # --- calls ------------------------------------------------------------------------------------------------

    def admit_connection(self, codec: str, *, idle_frames: bool = True) -> Session:
        """Open a session for a call over a connection. Raises TooManyCalls."""
        try:
            return self._engine.open_connection(codec, idle_frames=idle_frames)
        except EngineFull as err:
            raise TooManyCalls("the media engine carries as many calls as it was made for") from err

    def enter(self, call: EngineCall) -> None:
        """Hand the events of its session to this call from now on."""
        self._calls[call.session.handle] = call

    def dismiss(self, call: EngineCall) -> None:
        """End a call's media."""
        self._calls.pop(call.session.handle, None)
        call.session.close()
