"""The level of what is always there: the quietest moment of the last seconds."""

cdef enum:
    NOISE_PARTS = 5


cdef struct NoiseFloor:
    double smoothed                 # mean square, over some 40 ms
    int blocks                      # in this part so far
    int part
    double[NOISE_PARTS] quietest    # least smoothed mean square in each part, in a ring
    double level_dbfs


cdef void start_noise_floor(NoiseFloor *noise, double level_dbfs) noexcept nogil
cdef void note_block(NoiseFloor *noise, double mean_square) noexcept nogil
