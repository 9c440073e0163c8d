"""How much later than the fastest the packets of one stream arrive."""

cdef enum:
    TRANSIT_BINS = 40


cdef struct TransitSpread:
    int rate_hz
    bint started
    long long fastest           # least transit in this period and the one before, in samples
    long long fastest_now       # least transit in this period
    long long period_end        # arrival at which the next period begins
    float[TRANSIT_BINS] share   # of packets, by how much later than the fastest they came, in bins of 5 ms


cdef void reset_transit(TransitSpread *spread, int rate_hz) noexcept nogil
cdef void restart_transit(TransitSpread *spread) noexcept nogil
cdef void note_transit(TransitSpread *spread, long long position, long long arrival) noexcept nogil
cdef int needed_delay(const TransitSpread *spread) noexcept nogil
