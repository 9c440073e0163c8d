from parley.conversation.sound_edges import SoundEdges

LOUD = b"\x00\x20\x00\xe0"
RATE_HZ = 8000


def audio(*pieces: tuple[int, bool]) -> bytes:
    """Return pieces of sound or silence, in ms."""
    return b"".join((LOUD if sounds else b"\0" * 4) * (ms * 4) for ms, sounds in pieces)


def edges(*chunks: bytes) -> tuple[int | None, int]:
    found = SoundEdges(RATE_HZ)
    for chunk in chunks:
        found.feed(chunk)
    return found.begin, found.end


def test_silence_around_the_sound_is_left_out_and_a_pause_inside_is_not() -> None:
    pcm = audio((200, False), (300, True), (100, False), (300, True), (160, False))
    assert edges(pcm) == (200 * 8, 900 * 8)
    assert edges(*(pcm[at : at + 640] for at in range(0, len(pcm), 640))) == (200 * 8, 900 * 8)


def test_silent_audio_has_no_sound() -> None:
    assert edges(audio((400, False))) == (None, 0)
    assert edges() == (None, 0)


def test_sound_that_was_begun_before_goes_on() -> None:
    found = SoundEdges(RATE_HZ, seen=4000, begin=800)
    found.feed(audio((100, True), (100, False)))
    assert (found.begin, found.end) == (800, 4800)
