"""What an engine and its sessions have counted; `Engine.stats()` and `Session.stats()` make these."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CalleeTiming:
    """How long the callee has spoken and been silent since PM_SWITCH_CALLEE was switched on; all zeros before."""

    elapsed_ms: int
    initial_silence_ms: int
    """Before the first word; all of it while there is none."""
    speech_ms: int
    silence_ms: int
    """In pauses, the initial one not counted."""
    words: int
    longest_word_ms: int
    longest_pause_ms: int
    greeting_ms: int
    """From the first word to the end of the last one."""
    first_utterance_ms: int
    """The same, to the first pause of 400 ms or more."""
    current_run_ms: int
    """Of the word or pause that goes on now."""
    in_word: bool
    mean_level_dbfs: float


@dataclass(frozen=True, slots=True)
class SessionStats:
    """Counts of one session since it was connected, as of its last beat."""

    received: int
    """Packets of the peer that are RTP."""
    lost: int
    """Missing by their sequence."""
    late: int
    """Came after their time had passed."""
    duplicate: int
    concealed: int
    """Frames made up while the peer was sending."""
    discarded: int
    """Frames dropped to bring the delay down."""
    garbage: int
    """Datagrams of the peer that are neither RTP nor RTCP, or of a length that no frame has."""
    unexpected: int
    """Packets of another payload type."""
    restarts: int
    """New streams (another SSRC) from the peer's address."""
    strangers: int
    """Datagrams from other addresses; on the engine's own port the engine counts them."""
    sent: int
    unsent: int
    """Packets that the kernel did not take."""
    late_beats: int
    """Beats more than 5 ms after their time."""
    skipped_frames: int
    """Frames never sent because the thread stood still."""
    underruns: int
    rtcp_reports: int
    """Reception report blocks in the peer's RTCP; the next two are of the newest one."""
    rtcp_fraction_lost: float
    rtcp_jitter_ms: float
    jitter_depth_ms: int
    """What waits in the jitter buffer now."""
    jitter_target_ms: int
    """The delay that the jitter seen lately calls for."""
    tap_dropped: int
    """Frames that a recording lost because its reader lagged."""
    dropped_blocks: int
    """Blocks of the caller's audio that their reader lost because it lagged."""
    callee: CalleeTiming


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counts of one engine since it was made."""

    capacity: int
    sessions: int
    """Open now."""
    running: int
    """Of them, those that are connected."""
    memory_octets: int
    real_time: bool
    """It runs by SCHED_FIFO."""
    memory_locked: bool
    ticks: int
    """Slots that have been run."""
    late_ticks: int
    """More than 5 ms after their time."""
    lost_ms: int
    """Time that no session knows of, because the thread stood still for more than 10 s at once."""
    received: int
    """Datagrams on the engine's port."""
    strangers: int
    """Of them, those from addresses that no session has."""
    dropped_by_kernel: int
    """Datagrams that were not fetched in time."""
    unsent: int
    dropped_events: int
    cpu_s: float
    """CPU time of the thread."""
