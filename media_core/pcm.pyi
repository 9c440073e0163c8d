"""Small operations on PCM: int16 little-endian `bytes`, mono unless said otherwise."""

def level_dbfs(pcm: bytes) -> float:
    """Measure the RMS level, 0 dBFS being an RMS of 32768 (dBov of ITU-T G.100.1: a full-scale sine has -3.01).

    Returns -100.0 for digital silence and for no audio.
    Raises FrameSizeError if pcm is not whole samples.
    """

def silence(duration_ms: int, rate_hz: int) -> bytes:
    """Make digital silence.

    Raises FrameSizeError if duration_ms is negative, RateError if rate_hz is not positive.
    """

def fade_out(pcm: bytes, samples: int) -> bytes:
    """Return the audio with its last `samples` samples (or all, when shorter) faded down to silence.

    Raises FrameSizeError if pcm is not whole samples or samples is negative.
    """

def interleave(left: bytes, right: bytes) -> bytes:
    """Make stereo PCM from two mono channels; the shorter one is filled up with silence.

    Raises FrameSizeError if a channel is not whole samples.
    """
