"""Sequence numbers of one RTP stream: what is new, out of order, seen before or a restart (RFC 3550 §A.1)."""

from libc.stdint cimport uint16_t, uint64_t


cdef enum Arrival:
    ARRIVAL_NEXT        # newer than all before
    ARRIVAL_REORDERED   # older, but missing until now
    ARRIVAL_DUPLICATE
    ARRIVAL_MISPLACED   # too far from the others to be believed or placed


cdef struct SequenceWindow:
    bint started
    uint16_t highest
    uint64_t seen           # bit n: `highest` - n has come
    bint suspect            # a far jump came last; the stream restarts if `restart` follows it
    uint16_t restart
    long long lost          # missing so far, since the stream began to be followed
    long long gap           # of them, those missing since `gap` was last set to 0


cdef void reset_sequence(SequenceWindow *window) noexcept nogil
cdef Arrival follow_sequence(SequenceWindow *window, uint16_t sequence) noexcept nogil
