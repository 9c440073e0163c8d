import itertools

import pytest

from tests.support.phone_line import PhoneLine

PACKETS = [packet * 0.02 for packet in range(5000)]


def carried(line: PhoneLine) -> list[list[float]]:
    return [line.arrivals(sent_s) for sent_s in PACKETS]


def test_good_line_delivers_everything_at_once() -> None:
    assert carried(PhoneLine()) == [[sent_s] for sent_s in PACKETS]


def test_share_of_lost_and_doubled_packets_is_as_asked_for() -> None:
    assert sum(not copies for copies in carried(PhoneLine(loss=0.3))) == pytest.approx(1500, rel=0.05)
    assert sum(len(copies) == 2 for copies in carried(PhoneLine(duplicated=0.2))) == pytest.approx(1000, rel=0.1)
    assert not any(carried(PhoneLine(loss=1.0)))


def test_overtaken_packets_arrive_after_the_next_two() -> None:
    arrivals = [arrival_s for [arrival_s] in carried(PhoneLine(reordered=0.1))]
    overtaken = [n for n in range(len(arrivals) - 3) if arrivals[n + 1] < arrivals[n] and arrivals[n + 2] < arrivals[n]]
    assert len(overtaken) > 300
    assert all(arrival_s - sent_s < 0.051 for arrival_s, sent_s in zip(arrivals, PACKETS, strict=True))


def test_jitter_delays_up_to_its_bound_and_never_reorders() -> None:
    arrivals = [arrival_s for [arrival_s] in carried(PhoneLine(jitter_s=0.2))]
    delays = [arrival_s - sent_s for arrival_s, sent_s in zip(arrivals, PACKETS, strict=True)]
    assert arrivals == sorted(arrivals)
    assert min(delays) >= 0.0
    assert 0.19 < max(delays) <= 0.2


def test_two_lines_of_the_same_seed_do_the_same() -> None:
    assert carried(PhoneLine(loss=0.3)) == carried(PhoneLine(loss=0.3)) != carried(PhoneLine(loss=0.3, seed=8))


def test_held_packets_arrive_at_once_and_in_order() -> None:
    held_until_s = PACKETS[100]
    arrivals = [arrival_s for [arrival_s] in carried(PhoneLine(held_until_s=held_until_s))]
    assert arrivals[0] == held_until_s
    assert all(later > earlier for earlier, later in itertools.pairwise(arrivals[:100]))
    assert arrivals[99] - held_until_s < 0.011
    assert arrivals[101:] == PACKETS[101:]
