"""The level of what is always there: the quietest moment of the last seconds (minimum statistics).

Used by the voice detector; has no Python face. Follows a line that grows quieter within 40 ms, and one that grows
louder within 2.5 s, which no speech fills without a pause between two syllables.
"""

from media_core.pcm cimport dbfs

cdef enum:
    # Blocks of 10 ms in one part: the parts together cover 2 to 2.5 s.
    PART_BLOCKS = 50

cdef double SMOOTHING = 0.25
# The least of many smoothed levels lies so far below their mean.
cdef double BIAS_DB = 1.5
# Below this a block is digital silence: a gap in the stream that tells nothing of the line.
cdef double LOWEST_DBFS = -75.0


cdef void start_noise_floor(NoiseFloor *noise, double level_dbfs) noexcept nogil:
    """Begin with a guess, which the first part replaces if the line is quieter."""
    cdef int i
    cdef double guess = 32768.0 * 32768.0 * 10.0 ** ((level_dbfs - BIAS_DB) / 10.0)
    noise.smoothed = guess
    noise.blocks = 0
    noise.part = 0
    noise.level_dbfs = level_dbfs
    for i in range(NOISE_PARTS):
        noise.quietest[i] = guess


cdef void note_block(NoiseFloor *noise, double mean_square) noexcept nogil:
    """Take one block of 10 ms."""
    cdef double least
    cdef int i
    if dbfs(mean_square) < LOWEST_DBFS:
        return
    noise.smoothed += SMOOTHING * (mean_square - noise.smoothed)
    if noise.blocks == PART_BLOCKS:
        noise.blocks = 0
        noise.part = (noise.part + 1) % NOISE_PARTS
        noise.quietest[noise.part] = noise.smoothed
    noise.blocks += 1
    noise.quietest[noise.part] = min(noise.quietest[noise.part], noise.smoothed)
    least = noise.quietest[0]
    for i in range(1, NOISE_PARTS):
        least = min(least, noise.quietest[i])
    noise.level_dbfs = dbfs(least) + BIAS_DB
