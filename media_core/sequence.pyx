"""Sequence numbers of one RTP stream: what is new, out of order, seen before or a restart (RFC 3550 §A.1).

Used by the jitter buffer; has no Python face.
"""

from libc.stdint cimport uint16_t, uint64_t

cdef enum:
    # Furthest jump ahead that is taken for loss.
    MAX_DROPOUT = 3000
    # Furthest step back that is taken for disorder; the window remembers as many.
    MAX_MISORDER = 64

cdef uint64_t ALL_SEEN = 0xFFFFFFFFFFFFFFFF


cdef void reset_sequence(SequenceWindow *window) noexcept nogil:
    """Forget the stream; what it lost stays counted."""
    window.started = False
    window.suspect = False
    window.gap = 0


cdef void start_sequence(SequenceWindow *window, uint16_t sequence) noexcept nogil:
    window.started = True
    window.suspect = False
    window.highest = sequence
    window.seen = 1
    window.gap = 0


cdef Arrival follow_sequence(SequenceWindow *window, uint16_t sequence) noexcept nogil:
    """Take the next packet's number."""
    cdef int ahead, back
    if not window.started or (window.suspect and sequence == window.restart):
        start_sequence(window, sequence)
        return ARRIVAL_NEXT
    ahead = (sequence - window.highest) & 0xFFFF
    back = (window.highest - sequence) & 0xFFFF
    if ahead == 0:
        return ARRIVAL_DUPLICATE
    if ahead <= MAX_DROPOUT:
        return advance(window, sequence, ahead)
    if back < MAX_MISORDER:
        return step_back(window, back)
    window.suspect = True
    window.restart = <uint16_t>((sequence + 1) & 0xFFFF)
    return ARRIVAL_MISPLACED


cdef Arrival advance(SequenceWindow *window, uint16_t sequence, int ahead) noexcept nogil:
    window.suspect = False
    window.highest = sequence
    # Numbers that leave the window are taken out before the shift, which the debug build checks for overflow.
    window.seen = ((window.seen & (ALL_SEEN >> ahead)) << ahead) | 1 if ahead < MAX_MISORDER else 1
    window.lost += ahead - 1
    window.gap += ahead - 1
    return ARRIVAL_NEXT


cdef Arrival step_back(SequenceWindow *window, int back) noexcept nogil:
    cdef uint64_t bit = <uint64_t>1 << back
    if window.seen & bit:
        return ARRIVAL_DUPLICATE
    window.seen |= bit
    # What lies before the first packet was never counted as missing.
    if window.lost > 0:
        window.lost -= 1
    if window.gap > 0:
        window.gap -= 1
    return ARRIVAL_REORDERED
