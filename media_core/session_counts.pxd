"""What the native session counts (native/session.h), and how it becomes SessionStats."""

from libc.stdint cimport int32_t, int64_t, uint64_t


cdef extern from "native/amd.h" nogil:
    ctypedef struct pm_amd_seen:
        int32_t elapsed_ms, initial_silence_ms, speech_ms, silence_ms, words
        int32_t longest_word_ms, longest_pause_ms, greeting_ms, first_utterance_ms, current_run_ms
        bint in_word
        float mean_level_dbfs


cdef extern from "native/session.h" nogil:
    ctypedef struct pm_session_counts:
        int64_t received, lost, late, duplicate, concealed, discarded, garbage, unexpected, restarts, strangers
        int64_t sent, unsent, late_beats, skipped_frames, underruns
        int64_t rtcp_reports, rtcp_fraction_lost, rtcp_jitter, jitter_depth, jitter_target, tap_dropped
        pm_amd_seen callee


cdef stats_of(pm_session_counts counts, uint64_t dropped_blocks)
