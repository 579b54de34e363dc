from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.limits import Bucket


def test_a_burst_then_the_rate() -> None:
    bucket = Bucket(10, 3, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [0, 0, 0, pytest.approx(0.1)]
    assert bucket.take(0.1) == 0
    assert bucket.take(0.15) == pytest.approx(0.05)


def test_a_clock_that_steps_back_takes_nothing_away() -> None:
    bucket = Bucket(10, 2, 100.0)
    bucket.take(100.0)
    assert bucket.take(50.0) == 0
    assert bucket.take(50.1) == 0


@given(st.lists(st.floats(0, 0.5), max_size=200))
def test_never_more_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    bucket, now, taken = Bucket(5, 10, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now) == 0
    assert taken <= 10 + 5 * now + 1e-6
