"""From what the native session has counted to SessionStats. Used by `Session.stats()`."""

from libc.stdint cimport uint64_t

from media_core.engine_stats import CalleeTiming, SessionStats


cdef stats_of(pm_session_counts counts, uint64_t dropped_blocks):
    return SessionStats(
        received=counts.received,
        lost=counts.lost,
        late=counts.late,
        duplicate=counts.duplicate,
        concealed=counts.concealed,
        discarded=counts.discarded,
        garbage=counts.garbage,
        unexpected=counts.unexpected,
        restarts=counts.restarts,
        strangers=counts.strangers,
        sent=counts.sent,
        unsent=counts.unsent,
        late_beats=counts.late_beats,
        skipped_frames=counts.skipped_frames,
        underruns=counts.underruns,
        rtcp_reports=counts.rtcp_reports,
        rtcp_fraction_lost=counts.rtcp_fraction_lost / 256.0,
        rtcp_jitter_ms=counts.rtcp_jitter / 8.0,
        jitter_depth_ms=counts.jitter_depth // 8,
        jitter_target_ms=counts.jitter_target // 8,
        tap_dropped=counts.tap_dropped,
        dropped_blocks=dropped_blocks,
        callee=callee_of(counts.callee),
    )


cdef callee_of(pm_amd_seen seen):
    return CalleeTiming(
        elapsed_ms=seen.elapsed_ms,
        initial_silence_ms=seen.initial_silence_ms,
        speech_ms=seen.speech_ms,
        silence_ms=seen.silence_ms,
        words=seen.words,
        longest_word_ms=seen.longest_word_ms,
        longest_pause_ms=seen.longest_pause_ms,
        greeting_ms=seen.greeting_ms,
        first_utterance_ms=seen.first_utterance_ms,
        current_run_ms=seen.current_run_ms,
        in_word=bool(seen.in_word),
        mean_level_dbfs=seen.mean_level_dbfs,
    )
