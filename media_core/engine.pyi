"""The media engine: any number of calls on one native thread, over RTP on one UDP port for all of them."""

import socket
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from media_core.engine_stats import EngineStats, SessionStats
from media_core.prompt import Prompt

def resources() -> dict[str, int]:
    """Count what has not been closed: engines, sessions, recordings, connections. For tests that look for leaks."""

@final
class Engine:
    """Carries calls: RTP in and out, jitter, concealment, detection and playout, off the GIL.

    Methods belong to one thread at a time (the event loop's); the media thread is the engine's own.
    """

    def __init__(
        self, sock: socket.socket | None = None, *, capacity: int = 500, threaded: bool = True, block_ms: int = 60
    ) -> None:
        """Make an engine at rest; all of its memory is allocated here.

        sock: a bound UDP socket that the calls share; the engine takes it over. None: every session brings its own.
        capacity: calls at once. threaded: `start()` gives it a thread; otherwise `step()` runs it.
        block_ms: length of the blocks in which the caller's audio is read: 20, 40, 60, 80 or 100.
        Raises EngineStartError if there is no memory, FrameSizeError if a number makes no sense.
        """

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def fileno(self) -> int:
        """Return the descriptor that is readable while there are events: for `loop.add_reader()`."""

    @property
    def local_address(self) -> tuple[str, int] | None:
        """Where peers send to (host and port); None where every session has its own."""

    def start(self, *, core: int | None = None, priority: int = 10) -> None:
        """Run in a thread of its own, on this core if one is named, by SCHED_FIFO if that is permitted.

        priority: of SCHED_FIFO, 0 for none. Raises EngineStartError, EngineStopped if it runs already or was made
        with `threaded=False`.
        """

    def step(self, now_s: float) -> float:
        """Run everything that is due at a time, in seconds on the caller's monotonic clock; return when more is.

        Raises EngineStopped if the engine has a thread.
        """

    def close(self) -> None:
        """Stop the thread, close every session and give the port back. May be called twice."""

    def open(
        self,
        codec: str,
        sock: socket.socket | None = None,
        *,
        idle_frames: bool = True,
        peer_timeout_ms: int = 0,
        event_payload_type: int | None = None,
        dtmf: bool = False,
        tones: bool = False,
        callee: bool = False,
    ) -> Session:
        """Open a session for one call; its media start with `connect()`.

        codec: `ulaw`, `alaw`, `slin` or `g722`. sock: a bound UDP socket of this call's own, which the session takes
        over; needed where the engine has none. idle_frames: send silence while nothing is played.
        peer_timeout_ms: tell PEER_SILENT after so long without a packet; 0: never. event_payload_type: of the peer's
        telephone events (RFC 4733), None where they are not for us. dtmf, tones, callee: see `Session.switch()`.
        Raises EngineFull, RateError for another codec, EngineStopped.
        """

    def open_connection(self, codec: str, *, idle_frames: bool = True) -> Session:
        """Open a session whose audio comes over a connection; its media start with `link()` or `begin()`.

        codec: `slin` or `slin16`, little-endian; `ulaw`, `alaw` for `begin()`. idle_frames: as for `open()`.
        Raises EngineFull, RateError for another codec, EngineStopped.
        """

    def events(self) -> NDArray[np.void]:
        """Return what has happened since the last call, oldest first: an array of EVENT_DTYPE, maybe empty."""

    def stats(self) -> EngineStats:
        """Return the counts since the engine was made."""

    def lateness_s(self, share: float) -> float:
        """Return how late this share of all ticks began at most (0.999: the 99.9th percentile), to 12 %."""

    def duration_s(self, share: float) -> float:
        """Return how long this share of all ticks took at most; only with a thread."""

    def forget_times(self) -> None:
        """Begin to measure lateness and duration afresh."""

@final
class Session:
    """One call's media. After `close()` every method but `close()` raises StaleHandle."""

    @property
    def handle(self) -> int:
        """What events of this session bear; never used again for another call."""

    @property
    def codec(self) -> str: ...
    @property
    def rate_hz(self) -> int:
        """Rate of all PCM in and out: 16000 for g722 and slin16, else 8000."""

    @property
    def local_address(self) -> tuple[str, int]:
        """Where the peer sends to: host and port, its own or the engine's."""

    def connect(self, host: str, port: int) -> None:
        """Start the media with this peer, the only address whose packets count.

        host: numeric. The session clock starts at 0 with the first beat, at most 40 ms later.
        Raises PeerAddressError if the address is not numeric or another session has it, or if there is a peer already.
        """

    def link(self, sock: socket.socket, *, keys: bool = False) -> None:
        """Start the media over an AudioSocket connection that has shown its id.

        sock: a connected non-blocking TCP socket; the media thread uses a descriptor of its own. Whoever has it hangs
        up by closing the session, and then waits for the peer to close. keys: tell keys that
        come by messages; otherwise they are counted as unexpected.
        Raises PeerAddressError where that makes no sense for the session, EngineStopped.
        """

    def begin(self) -> None:
        """Start the media; what comes is handed over by `feed()`, and what is said goes by other ways.

        Raises PeerAddressError where that makes no sense for the session, EngineStopped.
        """

    def feed(self, octets: bytes, now_s: float) -> None:
        """Hand over what the peer said: encoded, of any length up to a second, come at this time of `step()`'s clock.

        Ignored before `begin()`. What is no whole samples is counted as garbage.
        """

    def position_at(self, now_s: float) -> int:
        """Return the position at a time of `step()`'s clock, which may be between two beats; 0 before the first."""

    def close(self) -> None:
        """End the media; the handle is void from now on. May be called twice."""

    def play(self, audio: bytes | Prompt) -> int:
        """Queue audio behind what is queued and return its mark: what `played_samples` will be when it has gone out.

        audio: int16 little-endian mono PCM at `rate_hz` as `bytes`, or a Prompt in sessions at 8 kHz. It is not
        copied. Raises PlayoutFull when 64 pieces wait, FrameSizeError for half a sample or more than 2^30 octets.
        """

    def clear(self) -> None:
        """Drop what is queued, and its marks; at most 5 ms more go out, fading, and count as played."""

    @property
    def position(self) -> int:
        """Now, on the session clock, in samples; moves on by one frame with every beat."""

    @property
    def played_samples(self) -> int:
        """How many samples given to `play()` have gone out; idle silence is not counted."""

    @property
    def queued_samples(self) -> int:
        """How many are still to go out."""

    @property
    def end_mark(self) -> int:
        """The mark of all that is queued: what `played_samples` will be when it has gone out."""

    def set_alarm(self, position: int | None) -> None:
        """Ask for ALARM_REACHED at this position, or for none; replaces the alarm before; a past one comes at once."""

    @property
    def peer_silent_ms(self) -> int:
        """How long no packet has come from the peer, or since the start."""

    def read(self) -> tuple[int, bytes] | None:
        """Return the position and the PCM of the oldest block of the caller's audio, None while there is none.

        Blocks follow each other without a hole unless the reader lags by more than 200 ms; then the oldest are lost.
        """

    def view(self) -> tuple[int, memoryview[int]] | None:
        """Return the same without copying: the position and a view of the block, valid until `advance()`."""

    def advance(self) -> bool:
        """Go on to the next block; return whether the one viewed stayed whole while it was looked at."""

    def switch(self, *, dtmf: bool | None = None, tones: bool | None = None, callee: bool | None = None) -> None:
        """Switch detectors on and off; those left out stay as they are. What is switched on begins afresh.

        dtmf: keys heard as tones. tones: beeps and other single tones. callee: the timing of the callee's words.
        """

    def record(self, on: bool) -> None:
        """Record both sides from the next beat on, or let the recording end: TAP_ENDED follows when it is whole.

        Up to 2 s wait for `recorded()`; what does not fit is lost and counted.
        """

    def recorded(self, most_frames: int = 100) -> tuple[int, bytes, bytes] | None:
        """Return the oldest recorded audio, None while there is none: position, the caller's PCM, the agent's.

        Both sides begin at the position and are equally long. Call until it returns None.
        """

    def stats(self) -> SessionStats:
        """Return the counts since the session was connected."""
