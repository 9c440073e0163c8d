"""Playout buffer of one RTP stream: puts packets in order and trades as little delay as the network allows."""

from typing import final

@final
class JitterBuffer:
    """Take packets as they arrive and give one frame per tick of the local clock.

    For codecs of constant rate. Packets may be of any length up to a second; what comes out is always one frame.
    The delay grows when packets come too late for their frame and shrinks again as soon as the network allows: to
    at most one frame where there is no jitter. Read the socket before the tick, so that what has arrived is put
    first.
    """

    def __init__(
        self, rate_hz: int = 8000, frame_samples: int = 160, octets_per_sample: int = 1, max_delay_ms: int = 120
    ) -> None:
        """Prepare an empty buffer.

        rate_hz: the RTP clock (8000 for G.711, G.722 and slin). frame_samples: one tick, in units of that clock.
        octets_per_sample: payload octets per unit of that clock (1 for G.711 and G.722, 2 for slin).
        Raises RateError or FrameSizeError if a number makes no sense.
        """

    def put(self, sequence: int, timestamp: int, payload: bytes, arrival: int) -> None:
        """Take one packet.

        payload: a packet that carries no audio but uses the sequence (a telephone event) is put with an empty
        payload, so that it is not counted as lost. arrival: position on the session clock, in units of the RTP
        clock. A restart of sequence or timestamp is followed by itself (RFC 3550 §A.1); for another SSRC call
        `reset()` first.
        Raises FrameSizeError if payload is not whole samples or more than a second; nothing has been taken then.
        """

    def get(self) -> bytes | None:
        """Return the frame whose time has come; call once per tick.

        None: nothing to play at this tick (lost, late, or the sender is silent): conceal it.
        """

    def reset(self) -> None:
        """Forget the stream and its timing, for another stream; the counters go on."""

    @property
    def received(self) -> int:
        """Packets put, all of them."""

    @property
    def lost(self) -> int:
        """Packets that are missing by their sequence and have not come so far."""

    @property
    def late(self) -> int:
        """Packets that came after their time had passed, or too far out of order to be placed."""

    @property
    def duplicate(self) -> int:
        """Packets that had been put before."""

    @property
    def concealed(self) -> int:
        """Frames for which `get()` had to return None although the sender had been speaking."""

    @property
    def discarded(self) -> int:
        """Frames dropped to bring the delay down."""

    @property
    def depth_samples(self) -> int:
        """What waits in the buffer now, holes included."""

    @property
    def target_samples(self) -> int:
        """The delay that the jitter seen lately calls for, one frame or more."""
