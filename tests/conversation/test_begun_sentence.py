"""Where the audio of an interrupted sentence goes on."""

from hypothesis import given
from hypothesis import strategies as st

from parley.conversation.begun_sentence import BegunSentence, SkippedAudio, quiet_place
from parley.conversation.ports import SpeechChunk, WordTime
from parley.conversation.spoken import SpokenSentence
from parley.conversation.text.written_out import WrittenOut

LOUD = b"\x00\x20\x00\xe0"
RATE_HZ = 8000


def audio(*pieces: tuple[int, bool]) -> bytes:
    """Return pieces of sound or silence, in ms."""
    return b"".join((LOUD if sounds else b"\0" * 4) * (ms * 4) for ms, sounds in pieces)


def begun(resume_at: int, *, certain: bool) -> BegunSentence:
    return BegunSentence(SpokenSentence(WrittenOut("Some words."), RATE_HZ, 0), resume_at, resume_at, certain)


def played(skipped: SkippedAudio, *chunks: SpeechChunk) -> tuple[bytes, list[WordTime]]:
    rest = [*(skipped.rest_of(chunk) for chunk in chunks), skipped.at_the_end()]
    return b"".join(chunk.pcm for chunk in rest), [time for chunk in rest for time in chunk.alignment]


def test_audio_goes_on_exactly_where_a_word_is_known_to_begin() -> None:
    pcm, times = audio((400, True)), (WordTime("Some", 0, 1600), WordTime("words", 1600, 3200))
    skipped = SkippedAudio(begun(1600, certain=True), RATE_HZ)
    chunks = SpeechChunk(pcm[:1000], times[:1]), SpeechChunk(pcm[1000:], times[1:])
    assert played(skipped, *chunks) == (pcm[3200:], list(times))
    assert skipped.samples == 1600


def test_audio_goes_on_at_the_gap_before_an_estimated_place() -> None:
    pcm = audio((300, True), (40, False), (300, True))
    skipped = SkippedAudio(begun(3200, certain=False), RATE_HZ)
    rest, _ = played(skipped, SpeechChunk(pcm))
    assert 300 * 8 <= skipped.samples < 340 * 8
    assert rest == pcm[skipped.samples * 2 :]


def test_audio_that_turns_out_shorter_is_played_whole() -> None:
    skipped = SkippedAudio(begun(5000, certain=True), RATE_HZ)
    assert played(skipped, SpeechChunk(audio((100, True)))) == (audio((100, True)), [])
    assert skipped.samples == 0


def test_sentence_that_was_not_begun_is_played_as_it_comes() -> None:
    chunk = SpeechChunk(audio((100, True)))
    assert played(SkippedAudio(None, RATE_HZ), chunk) == (chunk.pcm, [])


@given(st.binary(max_size=8000), st.integers(0, 4000))
def test_place_is_never_later_than_the_latest_nor_far_before_it(pcm: bytes, latest: int) -> None:
    pcm = pcm[: len(pcm) // 2 * 2]
    assert max(0, latest - 240 * 8) <= quiet_place(pcm, latest, RATE_HZ) <= latest
