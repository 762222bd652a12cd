"""How long a failed task waits."""

import pytest

from pgqueue import Backoff


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (Backoff(jitter="none"), [1, 2, 4, 8, 16]),
        (Backoff(base=3, jitter="none"), [3, 6, 12, 24, 48]),
        (Backoff("linear", base=5, jitter="none"), [5, 10, 15, 20, 25]),
        (Backoff("fixed", base=7, jitter="none"), [7, 7, 7, 7, 7]),
        (Backoff(cap=5, jitter="none"), [1, 2, 4, 5, 5]),
        (Backoff("linear", base=5, cap=12, jitter="none"), [5, 10, 12, 12, 12]),
        (Backoff("fixed", base=7, cap=5, jitter="none"), [5, 5, 5, 5, 5]),
    ],
)
def test_delays_grow_by_their_kind_up_to_the_cap(backoff: Backoff, delays: list[float]) -> None:
    assert [backoff.delay(attempt) for attempt in range(1, 6)] == delays


@pytest.mark.parametrize(("jitter", "low"), [("full", 0.0), ("equal", 5.0)])
def test_jitter_spreads_over_its_share_of_the_delay(jitter: str, low: float) -> None:
    delays = [Backoff("fixed", base=10, jitter=jitter).delay(1) for _ in range(500)]
    assert low <= min(delays) < low + 1
    assert 9 < max(delays) <= 10


@pytest.mark.parametrize("kind", ["exponential", "linear", "fixed"])
@pytest.mark.parametrize("attempt", [1, 61, 1000, 32_767])
def test_no_attempt_is_too_many(kind: str, attempt: int) -> None:
    assert 0 < Backoff(kind).delay(attempt) <= 3600
