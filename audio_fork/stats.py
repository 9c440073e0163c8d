"""What one call's audio connection has counted; `app` turns it into metrics.

A packet is a datagram of RTP, or a message where the transport is a connection.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudioStats:
    """Counts since the media started."""

    received: int
    """Packets of audio from the peer."""
    sent: int
    """Packets sent."""
    unsent: int
    """Packets that the kernel did not take; over AudioSocket the frames for which what is played had to wait, because
    the peer did not read."""
    lost: int
    """Packets of the peer missing by their sequence (RTP)."""
    late: int
    """Packets of the peer that came after their time had passed."""
    concealed: int
    """Frames made up because nothing was there to play while the peer was sending."""
    discarded: int
    """Frames of the caller's voice given up to bring the delay down after a burst."""
    garbage: int
    """Packets of the peer that are none: not RTP, unreadable messages, a length no frame can have."""
    unexpected: int
    """Packets of the peer that are no audio of this codec: comfort noise, keys, another rate."""
    late_beats: int
    """Frames that were sent more than 5 ms after their time."""
    skipped_frames: int
    """Frames never sent because the process stood still."""
    underruns: int
    """Pauses inside our speech because the next piece came late."""
    dropped_blocks: int
    """Blocks of the caller's audio lost because their reader lagged."""
    dropped_events: int
    """Events lost because their reader lagged."""
    strangers: int = 0
    """Datagrams from any address other than the peer's (RTP, on a port of the call's own)."""
    unrecorded: int = 0
    """Frames missing in a recording because the process lagged (RTP)."""
