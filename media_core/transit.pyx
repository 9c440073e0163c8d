"""How much later than the fastest the packets of one stream arrive: the delay that playing them in time needs.

Used by the jitter buffer; has no Python face. A single stall moves little: what counts is what happens to more
than one packet in 25 over the last few seconds.
"""

from libc.string cimport memset

cdef enum:
    BIN_MS = 5
    # The fastest packet of the last 5 to 10 s is the measure, so that drifting clocks are followed.
    PERIOD_S = 5

# Weight of a packet halves with every 138 packets after it: 2.8 s of packets of 20 ms.
cdef float FORGETTING = 0.995
# Packets that may come later than the needed delay.
cdef float LATE_SHARE = 0.04


cdef void reset_transit(TransitSpread *spread, int rate_hz) noexcept nogil:
    """Begin as if all packets so far had been equally fast."""
    memset(spread, 0, sizeof(TransitSpread))
    spread.rate_hz = rate_hz
    spread.share[0] = 1.0


cdef void restart_transit(TransitSpread *spread) noexcept nogil:
    """Measure against the packets from now on: positions have been renumbered."""
    spread.started = False


cdef void note_transit(TransitSpread *spread, long long position, long long arrival) noexcept nogil:
    """Take one packet: its position in the stream and its arrival, both in samples."""
    cdef long long transit = arrival - position
    cdef long long later
    cdef int i
    # A second late is no jitter but a clock set anew.
    if not spread.started or transit - spread.fastest > spread.rate_hz:
        spread.started = True
        spread.fastest = transit
        spread.fastest_now = transit
        spread.period_end = arrival + PERIOD_S * spread.rate_hz
    elif arrival >= spread.period_end:
        spread.fastest = min(spread.fastest_now, transit)
        spread.fastest_now = transit
        spread.period_end = arrival + PERIOD_S * spread.rate_hz
    spread.fastest = min(spread.fastest, transit)
    spread.fastest_now = min(spread.fastest_now, transit)
    later = (transit - spread.fastest) * 1000 // (BIN_MS * spread.rate_hz)
    for i in range(TRANSIT_BINS):
        spread.share[i] *= FORGETTING
    spread.share[min(later, TRANSIT_BINS - 1)] += <float>1.0 - FORGETTING


cdef int needed_delay(const TransitSpread *spread) noexcept nogil:
    """Return the delay in samples that all but LATE_SHARE of the packets keep."""
    cdef float late = 0.0
    cdef int upper = TRANSIT_BINS
    while upper > 1:
        late += spread.share[upper - 1]
        if late > LATE_SHARE:
            break
        upper -= 1
    return upper * BIN_MS * spread.rate_hz // 1000
