"""What forwarding one packet to one receiver costs: hubbub beside Janus and beside the least possible.

    python -m benchmarks.forward [--quick] [--only floor,hubbub,janus] [--receivers 10,60] [--seconds 5]

One publisher of 1,100-byte packets in bursts of ten, N receivers that only count; real DTLS and SRTP; every
server and the load in processes of their own, in a network namespace that ends with the benchmark. Needs
`cargo`, `ip` and `unshare`; Janus (Debian package `janus`) is left out where it is not installed. Takes about
five minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.forwarding import load, namespace
from benchmarks.forwarding.dtls import Profile
from benchmarks.forwarding.floor import Floor
from benchmarks.forwarding.janus import Janus
from benchmarks.forwarding.load import Load, Result
from benchmarks.forwarding.plane import HubbubPlane
from benchmarks.forwarding.report import HEADER, Row, table, verdict
from benchmarks.forwarding.server import Server

BURST = 10
RATES = (300, 2_000)
WARM_UP_S = 1
RAMP_RECEIVERS = 60
RAMP_RATES = (2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 16_000)
OVERLOAD = 0.95
"""Share of a core beyond which the ramp ends."""


class Session:
    """One server with one room, under one load."""

    def __init__(self, make: Callable[[], Server], programs: Path, receivers: int, profile: Profile) -> None:
        with contextlib.ExitStack() as stack:
            self._server = make()
            stack.callback(self._server.close)
            room = self._server.fill(receivers, profile)
            stack.callback(room.close)
            self._load = Load(programs, room.publisher, room.ssrc, room.receivers, self._server.process)
            stack.callback(self._load.close)
            self._open = stack.pop_all()
        self.receivers = receivers
        self.profile = profile

    def measure(self, rate: int, seconds: int) -> Row:
        self._run(rate, WARM_UP_S)
        result = self._run(rate, seconds)
        rss = self._server.rss_per_receiver if isinstance(self._server, HubbubPlane) else None
        row = Row(self._server.name, self.profile, self.receivers, rate, result, rss)
        print(row.line(), flush=True)
        return row

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _run(self, rate: int, seconds: int) -> Result:
        result = self._load.run(rate=rate, burst=BURST, seconds=seconds)
        if result.forged:
            raise RuntimeError(f"{self._server.name}: {result.forged} packets were not genuine")
        return result


def servers(programs: Path, wanted: set[str], profile: Profile) -> Iterator[Callable[[], Server]]:
    if "floor" in wanted:
        yield lambda: Floor(programs)
    if "hubbub" in wanted:
        yield lambda: HubbubPlane(profile)
    if "janus" in wanted:
        yield Janus


def compare(options: argparse.Namespace, programs: Path) -> list[Row]:
    rows = []
    plan: list[tuple[Profile, int]] = [*((7, count) for count in options.receivers), (1, 30)]
    for profile, receivers in plan:
        for make in servers(programs, options.only, profile):
            with Session(make, programs, receivers, profile) as session:
                rows += [session.measure(rate, options.seconds) for rate in RATES]
    return rows


def ramp(options: argparse.Namespace, programs: Path) -> list[Row]:
    """More and more packets until the one worker has no more to give."""
    rows: list[Row] = []
    if "hubbub" not in options.only:
        return rows
    with Session(lambda: HubbubPlane(7), programs, RAMP_RECEIVERS, 7) as session:
        for rate in RAMP_RATES:
            rows.append(session.measure(rate, options.seconds))
            if rows[-1].result.cpu_share > OVERLOAD:
                break
    return rows


def main() -> None:
    options = parse()
    namespace.enter()
    if "janus" in options.only and not Path("/usr/bin/janus").exists():
        print("Janus is not installed (apt-get install janus) and is left out.")
        options.only.discard("janus")
    programs = load.build()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(HEADER, flush=True)
    rows = compare(options, programs)
    climbed = ramp(options, programs)
    print(table(rows))
    print(table(climbed))
    print(verdict(rows, climbed))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.forward", description=__doc__)
    parser.add_argument(
        "--only", type=lambda text: set(text.split(",")), default={"floor", "hubbub", "janus"}
    )
    parser.add_argument(
        "--receivers", type=lambda text: [int(word) for word in text.split(",")], default=[10, 30, 60, 200]
    )
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two sizes, two seconds each")
    options = parser.parse_args()
    if options.quick:
        options.receivers, options.seconds = [10, 30], 2
    return options


if __name__ == "__main__":
    main()
