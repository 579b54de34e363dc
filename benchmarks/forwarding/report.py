"""The figures as tables, and what was to be reached beside what was."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from benchmarks.forwarding.dtls import NAMES, Profile
from benchmarks.forwarding.load import Result


@dataclass(frozen=True, slots=True)
class Row:
    server: str
    profile: Profile
    receivers: int
    rate: int
    result: Result
    rss_per_receiver: float | None

    def line(self) -> str:
        result = self.result
        rss = f"{self.rss_per_receiver / 1000:.0f}" if self.rss_per_receiver is not None else "-"
        return (
            f"{self.server:22} {self.receivers:4} {self.rate:6}"
            f" {result.cpu_us_per_packet:8.2f} {result.cpu_share * 100:6.1f}"
            f" {result.delivered(self.receivers) * 100:9.3f}"
            f" {result.p50 / 1000:7.2f} {result.p99 / 1000:7.2f} {rss:>7}"
        )


HEADER = (
    f"{'server':22} {'N':>4} {'pkt/s':>6} {'us/pkt':>8} {'cpu %':>6}"
    f" {'deliv %':>9} {'p50 ms':>7} {'p99 ms':>7} {'kB/rcv':>7}"
)


def table(rows: list[Row]) -> str:
    lines = []
    for profile, of_profile in groupby(rows, key=lambda row: row.profile):
        lines += [f"\nSRTP {NAMES[profile]}", HEADER, *(row.line() for row in of_profile)]
    return "\n".join(lines)


def verdict(rows: list[Row], ramp: list[Row]) -> str:
    """The targets of the project, each with what was measured."""
    lines = ["\ntargets"]
    for receivers in (30, 60):
        ours = _cost(rows, "hubbub", receivers)
        for other, most in (("janus", 0.35), ("floor", 2.0)):
            theirs = _cost(rows, other, receivers)
            if ours is not None and theirs is not None:
                lines.append(_judged(f"N={receivers}: of {other}'s cost", ours / theirs, most, "times"))
    half = min(ramp, key=lambda row: abs(row.result.cpu_share - 0.5), default=None)
    if half is not None:
        share = f"p99 delay at {half.result.cpu_share * 100:.0f} % of a core"
        lines.append(_judged(share, half.result.p99 / 1000, 2.0, "ms"))
    loaded = [row for row in ramp if row.result.cpu_share <= 0.8]
    lost = max((1 - row.result.delivered(row.receivers) for row in loaded), default=None)
    if lost is not None:
        highest = max(row.result.cpu_share for row in loaded)
        lines.append(_judged(f"lost up to {highest * 100:.0f} % of a core", lost * 100, 0.0, "%"))
    largest = max(
        (row for row in rows if row.server == "hubbub"), key=lambda row: row.receivers, default=None
    )
    if largest is not None and largest.rss_per_receiver is not None:
        what = f"memory per receiver at N={largest.receivers}"
        lines.append(_judged(what, largest.rss_per_receiver / 1000, 60.0, "kB"))
    return "\n".join(lines)


def _cost(rows: list[Row], server: str, receivers: int) -> float | None:
    """At 300 packets/s with AES-128-GCM."""
    found = (
        row.result.cpu_us_per_packet
        for row in rows
        if (row.server, row.profile, row.receivers, row.rate) == (server, 7, receivers, 300)
    )
    return next(found, None)


def _judged(what: str, value: float, most: float, unit: str) -> str:
    mark = "reached" if value <= most else "MISSED"
    return f"  {mark:8} {what}: {value:.2f} {unit} (at most {most:g})"
