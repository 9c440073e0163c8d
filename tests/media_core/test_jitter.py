"""The jitter buffer on lines that lose, delay, reorder, repeat, pause and start anew."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media_core import FrameSizeError, JitterBuffer, RateError
from tests.media_core.line import FRAME, Packet, frame, play, stream


def delays(played: list[int | None]) -> list[int]:
    """Return for each frame played how many ticks after the first chance that was."""
    return [tick - index for tick, index in enumerate(played) if index is not None]


def stalled(packets: list[Packet], from_ms: int, stall_ms: int) -> list[Packet]:
    """Hold back what arrives in this time and let it come at once after it."""
    start, end = from_ms * 8, (from_ms + stall_ms) * 8
    return [replace(packet, arrival=end) if start <= packet.arrival < end else packet for packet in packets]


def without(packets: list[Packet], lost: set[int]) -> list[Packet]:
    """Lose these packets."""
    return [packet for index, packet in enumerate(packets) if index not in lost]


def paused(packets: list[Packet], first: int, last: int) -> list[Packet]:
    """Let the sender be silent for these frames: timestamps go on, sequence numbers do not."""
    spoken = without(packets, set(range(first, last)))
    return [replace(packet, sequence=sequence) for sequence, packet in enumerate(spoken)]


@pytest.mark.parametrize("phase", [0, 1, 40, 80, 159])
def test_without_jitter_every_frame_is_played_at_the_first_tick_after_it_came(phase: int) -> None:
    buffer = JitterBuffer()
    assert play(buffer, stream(200), ticks=200, phase=phase) == list(range(200))
    assert (buffer.received, buffer.lost, buffer.late, buffer.concealed, buffer.discarded) == (200, 0, 0, 0, 0)
    assert buffer.target_samples == FRAME
    assert buffer.depth_samples == 0


def test_ticks_that_fall_together_with_arrivals_settle_at_one_frame() -> None:
    wobble = random.Random(1)
    packets = stream(2000, [wobble.uniform(0.0, 4.0) for _ in range(997)])
    buffer = JitterBuffer()
    played = play(buffer, packets, ticks=2000, phase=16)
    assert set(delays(played)[100:]) == {1}
    assert buffer.concealed == 1


@pytest.mark.parametrize("phase", [0, 80, 159])
def test_a_lost_packet_leaves_one_gap_and_no_delay(phase: int) -> None:
    lost = {20, 50, 51, 90}
    buffer = JitterBuffer()
    played = play(buffer, without(stream(200), lost), ticks=200, phase=phase)
    assert played == [None if index in lost else index for index in range(200)]
    assert (buffer.lost, buffer.concealed, buffer.late) == (4, 4, 0)


def test_a_late_packet_is_played_late_rather_than_lost() -> None:
    packets = stream(100)
    packets[50] = replace(packets[50], arrival=packets[50].arrival + 15 * 8)
    buffer = JitterBuffer()
    assert play(buffer, packets, ticks=101) == [*range(50), None, *range(50, 100)]
    assert (buffer.lost, buffer.late, buffer.concealed) == (0, 0, 1)


@pytest.mark.parametrize("spread_ms", [10, 30, 50, 80])
def test_steady_jitter_is_absorbed_within_its_own_spread(spread_ms: int) -> None:
    wobble = random.Random(spread_ms)
    packets = stream(1500, [wobble.uniform(0.0, spread_ms) for _ in range(997)])
    buffer = JitterBuffer()
    played = play(buffer, packets, ticks=1500)
    assert played[200:].count(None) <= 5
    assert max(delays(played)[200:]) <= spread_ms // 20 + 1
    assert spread_ms * 8 * 0.7 <= buffer.target_samples <= spread_ms * 8 + 2 * FRAME


@pytest.mark.parametrize("stall_ms", [60, 100, 200, 400])
def test_after_a_stall_the_delay_goes_back_to_where_it_was(stall_ms: int) -> None:
    buffer = JitterBuffer()
    played = play(buffer, stalled(stream(800), 2000, stall_ms), ticks=800)
    assert max(delays(played)) * 20 <= 140
    assert set(delays(played)[-250:]) == {0}
    assert buffer.discarded == stall_ms // 20
    assert buffer.lost == buffer.late == 0


def test_a_stall_of_100_ms_is_half_made_good_within_half_a_second() -> None:
    played = play(JitterBuffer(), stalled(stream(300), 2000, 100), ticks=300)
    ticks = {index: tick for tick, index in enumerate(played) if index is not None}
    index = max(index for index, tick in ticks.items() if tick <= 100 + 5 + 25)
    assert ticks[index] - index <= 3


def test_packets_out_of_order_are_put_in_order_once_the_line_is_known() -> None:
    packets = stream(1000)
    for index in range(5, 1000, 10):
        packets[index] = replace(packets[index], arrival=packets[index].arrival + 30 * 8)
    buffer = JitterBuffer()
    played = play(buffer, packets, ticks=1000)
    assert None not in played[300:]
    assert set(delays(played)[400:]) == {1}
    assert buffer.late <= 20
    assert buffer.lost == 0


def test_two_packets_changed_over_before_their_tick_are_played_in_order() -> None:
    buffer = JitterBuffer()
    for index in (0, 2, 1, 3):
        buffer.put(index, index * FRAME, frame(index), 0)
    assert [buffer.get() for _ in range(5)] == [frame(0), frame(1), frame(2), frame(3), None]


def test_a_packet_whose_time_has_passed_is_counted_and_dropped() -> None:
    packets = stream(100)
    packets[50] = replace(packets[50], arrival=packets[50].arrival + 200 * 8)
    buffer = JitterBuffer()
    played = play(buffer, packets, ticks=100)
    assert played == [None if index == 50 else index for index in range(100)]
    assert (buffer.late, buffer.lost) == (1, 0)


def test_repeated_packets_are_counted_and_played_once() -> None:
    packets = stream(100)
    again = [replace(packet, arrival=packet.arrival + 100) for packet in packets[10:20]]
    buffer = JitterBuffer()
    assert play(buffer, packets + again, ticks=100) == list(range(100))
    assert (buffer.duplicate, buffer.received, buffer.lost) == (10, 110, 0)


def test_sequence_and_timestamp_wrap_around_unnoticed() -> None:
    buffer = JitterBuffer()
    packets = stream(300, first_sequence=2**16 - 100, first_timestamp=2**32 - 200 * FRAME)
    assert play(buffer, packets, ticks=300) == list(range(300))
    assert (buffer.lost, buffer.late, buffer.concealed) == (0, 0, 0)


def test_a_silent_sender_is_not_loss() -> None:
    buffer = JitterBuffer()
    played = play(buffer, paused(stream(400), 100, 250), ticks=400)
    assert played == [*range(100), *[None] * 150, *range(250, 400)]
    assert (buffer.lost, buffer.concealed, buffer.late, buffer.discarded) == (0, 0, 0, 0)


def test_delay_left_from_a_stall_goes_in_the_next_pause() -> None:
    buffer = JitterBuffer()
    played = play(buffer, paused(stalled(stream(300), 2000, 60), 115, 140), ticks=300)
    ticks = {index: tick for tick, index in enumerate(played) if index is not None}
    assert ticks[114] - 114 == 2
    assert max(ticks[index] - index for index in range(140, 200)) == 1


def test_packets_without_audio_use_the_sequence_and_are_not_lost() -> None:
    buffer = JitterBuffer()
    packets = [replace(packet, payload=b"") if 30 <= index < 40 else packet for index, packet in enumerate(stream(80))]
    assert play(buffer, packets, ticks=80) == [*range(30), *[None] * 10, *range(40, 80)]
    assert (buffer.lost, buffer.concealed, buffer.received) == (0, 0, 80)


def test_another_sequence_behind_the_same_ssrc_is_followed_from_its_second_packet_on() -> None:
    first, second = stream(100), stream(100, first_sequence=40000, first_timestamp=9_000_000)
    moved = [
        replace(packet, payload=frame(100 + index), arrival=packet.arrival + 100 * FRAME)
        for index, packet in enumerate(second)
    ]
    buffer = JitterBuffer()
    assert play(buffer, first + moved, ticks=200) == [*range(100), None, *range(101, 200)]
    assert buffer.late == 1


@pytest.mark.parametrize("leap", [-1_000_000, -FRAME, 48_000, 1_000_000])
def test_a_leap_of_the_timestamps_alone_loses_nothing(leap: int) -> None:
    packets = stream(300, first_timestamp=5_000_000)
    leapt = [replace(packet, timestamp=packet.timestamp + leap) for packet in packets[100:]]
    assert play(JitterBuffer(), packets[:100] + leapt, ticks=300) == list(range(300))


def test_timestamps_that_stand_still_lose_nothing() -> None:
    packets = [replace(packet, timestamp=7) for packet in stream(300)]
    assert play(JitterBuffer(), packets, ticks=300) == list(range(300))


@pytest.mark.parametrize("ppm", [500, -500])
def test_a_drifting_clock_costs_one_frame_at_a_time(ppm: int) -> None:
    packets = [replace(packet, arrival=int(packet.arrival * (1.0 - ppm / 1e6))) for packet in stream(6000)]
    buffer = JitterBuffer()
    play(buffer, packets, ticks=6000)
    assert buffer.discarded + buffer.concealed <= 4
    assert buffer.depth_samples <= FRAME


def test_a_frame_given_up_wrongly_is_given_up_less_soon_the_next_time() -> None:
    # Once in nine seconds the line holds back two packets: too rare to be called jitter, too often to be forgotten.
    packets = stream(9000, [{75: 30.0, 76: 12.0}.get(index, 0.0) for index in range(450)])
    buffer = JitterBuffer()
    play(buffer, packets, ticks=9000)
    assert buffer.target_samples == FRAME
    assert 1 <= buffer.discarded <= 4
    assert buffer.concealed <= 5


@pytest.mark.parametrize("step_ms", [-60, 60])
def test_a_route_of_another_length_is_jitter_for_no_more_than_ten_seconds(step_ms: int) -> None:
    packets = [
        replace(packet, arrival=packet.arrival + (100 + (step_ms if index >= 300 else 0)) * 8)
        for index, packet in enumerate(stream(2000))
    ]
    buffer = JitterBuffer()
    played = play(buffer, packets, ticks=2000)
    assert buffer.target_samples == FRAME
    first = next(tick for tick, index in enumerate(played) if index is not None)
    assert set(delays(played)[-200:]) == {first + step_ms // 20}


def test_reset_forgets_the_stream_and_keeps_the_counters() -> None:
    buffer = JitterBuffer()
    play(buffer, without(stream(50), {20}), ticks=50)
    buffer.reset()
    assert buffer.get() is None
    assert buffer.depth_samples == 0
    assert play(buffer, stream(50, first_sequence=999, first_timestamp=123), ticks=50) == list(range(50))
    assert (buffer.received, buffer.lost) == (99, 1)


@pytest.mark.parametrize("packet_samples", [80, 240, 320, 480, 1600])
def test_packets_of_another_length_come_out_as_frames(packet_samples: int) -> None:
    audio = b"".join(frame(index) for index in range(240))
    buffer = JitterBuffer()
    played = []
    arrivals = range(packet_samples, len(audio) + 1, packet_samples)
    for tick in range(300):
        now = tick * FRAME + 40
        for arrival in arrivals:
            if now - FRAME < arrival <= now:
                start = arrival - packet_samples
                buffer.put(start // packet_samples, start, audio[start:arrival], arrival)
        payload = buffer.get()
        if payload is not None:
            played.append(payload)
    whole = len(audio) // packet_samples * packet_samples // FRAME * FRAME
    assert b"".join(played) == audio[:whole]
    assert (buffer.discarded, buffer.lost, buffer.late) == (0, 0, 0)


def test_two_octets_per_sample_stay_together() -> None:
    buffer = JitterBuffer(rate_hz=16000, frame_samples=320, octets_per_sample=2)
    frames = [bytes([index]) * 640 for index in range(50)]
    for index, payload in enumerate(frames):
        buffer.put(index, index * 320, payload, index * 320)
        assert buffer.get() == payload


def test_a_reader_that_stops_costs_memory_and_delay_without_end_no_more_than_its_limit() -> None:
    buffer = JitterBuffer()
    for packet in stream(1000):
        buffer.put(packet.sequence, packet.timestamp, packet.payload, packet.arrival)
    assert buffer.depth_samples <= 2 * 8000 + 120 * 8
    first = buffer.get()
    assert first is not None
    assert buffer.depth_samples <= 120 * 8 + FRAME
    assert buffer.discarded >= 900


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.floats(0.0, 0.3),
    st.sampled_from([0.0, 10.0, 60.0, 300.0]),
    st.floats(0.0, 0.2),
)
def test_on_any_line_frames_come_whole_in_order_and_once(
    seed: int, loss: float, spread_ms: float, repeats: float
) -> None:
    chance = random.Random(seed)
    sent = stream(300, [chance.uniform(0.0, spread_ms) for _ in range(300)], first_sequence=65400)
    arrived = [packet for packet in sent if chance.random() >= loss]
    arrived += [replace(packet, arrival=packet.arrival + 400) for packet in arrived if chance.random() < repeats]
    buffer = JitterBuffer()
    played = [index for index in play(buffer, arrived, ticks=340) if index is not None]
    assert played == sorted(set(played))
    assert buffer.received == len(arrived)
    assert (
        len(played) + buffer.discarded + buffer.late + buffer.duplicate >= len(arrived) - buffer.depth_samples // FRAME
    )
    if not loss:
        assert buffer.lost == 0
    if spread_ms == 0.0:
        assert len(played) >= len({packet.sequence for packet in arrived}) - 1


@settings(max_examples=150)
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.tuples(
                st.integers(0, 2**16 - 1) | st.integers(0, 20),
                st.integers(0, 2**32 - 1) | st.integers(0, 4000),
                st.binary(max_size=30) | st.sampled_from([bytes(160), bytes(8000)]),
                st.integers(-(2**40), 2**40) | st.integers(0, 4000),
            ),
        ),
        max_size=60,
    )
)
def test_arbitrary_packets_never_break_it(steps: list[tuple[int, int, bytes, int] | None]) -> None:
    buffer = JitterBuffer()
    for step in steps:
        if step is None:
            payload = buffer.get()
            assert payload is None or len(payload) == FRAME
        else:
            buffer.put(*step)
        assert 0 <= buffer.depth_samples <= 2 * 8000 + 120 * 8
        assert FRAME <= buffer.target_samples <= 120 * 8
    assert buffer.received == sum(step is not None for step in steps)


def test_payloads_it_cannot_take_are_refused_and_not_counted() -> None:
    buffer = JitterBuffer(octets_per_sample=2)
    with pytest.raises(FrameSizeError):
        buffer.put(1, 0, b"\x00\x01\x02", 0)
    with pytest.raises(FrameSizeError):
        buffer.put(1, 0, bytes(2 * 8001), 0)
    assert buffer.received == 0


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(RateError):
        JitterBuffer(rate_hz=0)
    for settings_ in ({"frame_samples": 0}, {"frame_samples": 8000}, {"octets_per_sample": 0}, {"max_delay_ms": 5}):
        with pytest.raises(FrameSizeError):
            JitterBuffer(**settings_)
