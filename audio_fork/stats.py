"""What one call's audio connection has counted; `app` turns it into metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudioStats:
    """Counts since the media started."""

    received: int
    """Packets of the peer that are RTP."""
    sent: int
    """Packets sent."""
    unsent: int
    """Packets that the kernel did not take."""
    lost: int
    """Packets of the peer missing by their sequence."""
    late: int
    """Packets of the peer that came after their time had passed."""
    concealed: int
    """Frames made up because nothing was there to play while the peer was sending."""
    strangers: int
    """Datagrams from any address other than the peer's."""
    garbage: int
    """Datagrams of the peer that are not RTP, or of a length no frame can have."""
    unexpected: int
    """Packets of a payload type other than the codec's: comfort noise, telephone events."""
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
