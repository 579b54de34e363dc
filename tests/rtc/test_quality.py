"""Connection quality out of the plane's statistics."""

import pytest

from rtc.quality import LossMeter, score


@pytest.mark.parametrize(
    ("rtt_ms", "fraction_lost", "lost", "expected"),
    [
        (20.0, 0.0, 0.0, 5),
        (None, 0.0, 0.0, 5),
        (250.0, 0.0, 0.0, 4),
        (20.0, 0.05, 0.0, 3),
        (20.0, 0.0, 0.15, 2),
        (900.0, 0.3, 0.0, 1),
    ],
)
def test_the_worst_of_loss_and_delay_decides(
    rtt_ms: float | None, fraction_lost: float, lost: float, expected: int
) -> None:
    assert score({"rtt_ms": rtt_ms}, [{"fraction_lost": fraction_lost}], lost) == expected


def test_a_peer_that_only_publishes_is_judged_by_what_it_loses() -> None:
    assert score({"rtt_ms": 30.0}, [], 0.02) == 4


def test_loss_is_that_since_the_last_look() -> None:
    meter = LossMeter()
    assert meter.fraction([{"source": 1, "packets": 90, "lost": 10}]) == 0.1
    assert meter.fraction([{"source": 1, "packets": 190, "lost": 10}]) == 0.0
    assert (
        meter.fraction([{"source": 1, "packets": 240, "lost": 60}, {"source": 2, "packets": 0, "lost": 0}])
        == 0.5
    )
    assert meter.fraction([]) == 0.0
