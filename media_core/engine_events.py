"""What `Engine.events()` returns: one row per event, with the meaning of its columns.

Read by audio_fork, which turns rows into the conversation's events.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

EVENT_DTYPE = np.dtype(
    [
        ("session", np.uint64),
        ("position", np.int64),
        ("value", np.int64),
        ("samples", np.int32),
        ("level_dbfs", np.float32),
        ("frequency_hz", np.float32),
        ("kind", np.uint16),
        ("code", np.uint16),
    ]
)
"""session: `Session.handle`, 0 for the engine's own events. position: samples on the session clock. What the others
mean depends on the kind; they are 0 where `EventKind` does not name them."""


class EventKind(IntEnum):
    """What happened."""

    SPEECH_STARTED = 1
    """position: the first sample of speech, earlier than the moment of detection."""
    SPEECH_STOPPED = 2
    """position: one past the last sample of speech, earlier than the moment of detection."""
    DIGIT_PRESSED = 3
    """A key went down. code: its letter, `chr(code)`; value: 1 where it was heard as a tone, 0 by RFC 4733, 2 by
    a message of AudioSocket, which tells presses only."""
    DIGIT_RELEASED = 4
    """The key is up. As for DIGIT_PRESSED; position: of the press; samples: how long it was down."""
    TONE_HEARD = 5
    """A single tone has ended, or lasts on. code: `ToneKind`; samples, frequency_hz, level_dbfs."""
    BLOCK_READY = 6
    """The caller's audio from position on can be read. samples, level_dbfs; value: its zero crossings."""
    MARK_REACHED = 7
    """value: the mark; position: one past its last sample."""
    PLAYOUT_STARTED = 8
    """The first sample of something played after silence or after `clear()`."""
    UNDERRUN = 9
    """A pause of at most 100 ms inside our speech ended: the next piece came late."""
    PEER_SILENT = 10
    """No packet for value ms; told once, and again after packets have come and ceased."""
    ALARM_REACHED = 11
    """position: the one that was asked for."""
    CALLEE_CHANGED = 12
    """The callee's word (code 1) or pause (code 0) began; value: words so far. `Session.stats().callee` has more."""
    TAP_READY = 13
    """Recorded audio waits: `Session.recorded()`."""
    TAP_ENDED = 14
    """The same, and nothing follows."""
    LATE_TICK = 15
    """The engine's: it ran more than 5 ms after its time. value: lateness in µs; samples: slots caught up at once."""
    PEER_GONE = 16
    """An AudioSocket connection is over. code: `PeerEnd`."""


class ToneKind(IntEnum):
    """What a tone of TONE_HEARD is."""

    BEEP = 0
    """80 to 1500 ms, after speech, before silence: an answering machine's."""
    UNSTABLE = 1
    """Too short or too long for a beep."""
    NO_SPEECH = 2
    """Nobody spoke before it."""
    NO_SILENCE = 3
    """It was not followed by silence."""
    SPECIAL_INFORMATION = 4
    """Part of the triplet before a carrier's announcement."""
    FAX = 5
    """A fax or a modem."""
    CADENCE = 6
    """Ringing, busy or dial tone."""


class PeerEnd(IntEnum):
    """How a connection of PEER_GONE ended."""

    CLOSED = 1
    """Without a word, as Asterisk does it."""
    HUNG_UP = 2
    """By a message that says so."""
    FAILED = 3
    """By a message that says that something failed."""
    LOST_ITS_PLACE = 4
    """By what is no message."""
