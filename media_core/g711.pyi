"""G.711: µ-law and A-law companding of 8 kHz telephone audio."""

def ulaw_encode(pcm: bytes) -> bytes:
    """Encode linear PCM to G.711 µ-law (ITU-T G.711 table 2; 14 significant bits, as audioop does).

    pcm: int16 little-endian mono. Returns one octet per sample; empty for empty.
    Raises FrameSizeError if pcm is not whole samples.
    """

def ulaw_decode(payload: bytes) -> bytes:
    """Decode G.711 µ-law to linear PCM, ±32124.

    payload: one octet per sample. Returns int16 little-endian mono; empty for empty.
    """

def alaw_encode(pcm: bytes) -> bytes:
    """Encode linear PCM to G.711 A-law (ITU-T G.711 table 1; 13 significant bits, as audioop does).

    pcm: int16 little-endian mono. Returns one octet per sample; empty for empty.
    Raises FrameSizeError if pcm is not whole samples.
    """

def alaw_decode(payload: bytes) -> bytes:
    """Decode G.711 A-law to linear PCM, ±32256.

    payload: one octet per sample. Returns int16 little-endian mono; empty for empty.
    """
