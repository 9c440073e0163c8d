from ari_app.backoff import Backoff


def test_waits_double_up_to_the_cap_and_begin_again_after_a_reset() -> None:
    backoff = Backoff(first_s=1.0, cap_s=5.0, chance=lambda: 1.0)
    assert [backoff.next_wait_s() for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    backoff.reset()
    assert backoff.next_wait_s() == 1.0


def test_chance_shortens_a_wait_by_at_most_half() -> None:
    assert Backoff(first_s=1.0, chance=lambda: 0.0).next_wait_s() == 0.5
    assert all(0.5 <= Backoff(first_s=1.0).next_wait_s() <= 1.0 for _ in range(100))
