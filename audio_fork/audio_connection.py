"""A call's audio connection as the wiring sees it, whatever transport carries it.

The conversation's CallAudio port, recording and counts. `RtpAudio`, `AudioSocketAudio` and `WebSocketAudio` are such.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from audio_fork.recording import StereoRecorder
from audio_fork.stats import AudioStats
from media_core.events import AudioBlock, AudioEvent


class AudioConnection(Protocol):
    """Nothing comes or goes before it is connected, which each transport does in its own way."""

    @property
    def rate_hz(self) -> int:
        """Rate of all PCM in and out: 8000 or 16000."""
        ...

    @property
    def position(self) -> int:
        """Now, on the session clock."""
        ...

    @property
    def peer_silent_ms(self) -> int:
        """How long nothing has come from the PBX; 0 over a connection, which ends when the link is cut."""
        ...

    @property
    def played_samples(self) -> int:
        """How many samples given to `play()` have gone out (idle silence not counted)."""
        ...

    def blocks(self) -> AsyncIterator[AudioBlock]:
        """Yield the caller's audio in blocks of 60 ms until the peer is gone; 180 ms behind drops the oldest."""
        ...

    def events(self) -> AsyncIterator[AudioEvent]:
        """Yield events in order until PeerGone or `aclose()`."""
        ...

    def play(self, pcm: bytes) -> int:
        """Queue PCM and return its mark. After the end nothing is played and the mark is never reached.

        Raises BadAudio for half a sample and for more than the queue holds (300 s).
        """
        ...

    def clear(self) -> None:
        """Drop what is queued; at most 5 ms more of it go out, fading, and count as played."""
        ...

    def set_alarm(self, position: int) -> None:
        """Ask for AlarmReached at this position; replaces the alarm before; a past one comes at once."""
        ...

    def record_to(self, recorder: StereoRecorder | None) -> None:
        """Give everything said and played from now on to a recorder; None stops. Its maker closes it."""
        ...

    def stats(self) -> AudioStats:
        """Return the counts since the start."""
        ...

    def fail(self, reason: str) -> None:
        """Report PeerGone and end: nothing comes or goes any more."""
        ...

    async def aclose(self) -> None:
        """End the media and release the connection. May be called twice."""
        ...
