"""Connection quality of one peer as a number that people understand, from the plane's statistics. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# Fraction of packets lost, and round trip in milliseconds, above which the score is at most the one named. Opus
# conceals 4 % well and 10 % badly; ITU-T G.114 calls 150 ms one way unnoticed and 400 ms the limit.
LOSS_LIMITS = ((0.01, 4), (0.04, 3), (0.10, 2), (0.25, 1))
RTT_LIMITS = ((200.0, 4), (400.0, 3), (800.0, 2))
BEST = 5


def score(transport: Mapping[str, Any], sinks: Iterable[Mapping[str, Any]], lost: float) -> int:
    """1 (unusable) to 5 (excellent). `lost` is the fraction that the peer itself lost on its way to us."""
    worst_loss = max([lost, *(float(sink["fraction_lost"]) for sink in sinks)])
    rtt = float(transport.get("rtt_ms") or 0.0)
    limits = [most for limit, most in LOSS_LIMITS if worst_loss > limit]
    limits += [most for limit, most in RTT_LIMITS if rtt > limit]
    return min([BEST, *limits])


class LossMeter:
    """The fraction of a peer's packets that was lost since the last look, from counters that only grow."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, int]] = {}

    def fraction(self, sources: Iterable[Mapping[str, Any]]) -> float:
        received = lost = 0
        seen: dict[int, tuple[int, int]] = {}
        for source in sources:
            handle, packets, missing = source["source"], source["packets"], source["lost"]
            before = self._seen.get(handle, (0, 0))
            seen[handle] = (packets, missing)
            received += max(0, packets - before[0])
            lost += max(0, missing - before[1])
        self._seen = seen
        return lost / (received + lost) if received + lost else 0.0
