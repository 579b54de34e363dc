"""The load: one publisher and receivers that count, in a program outside the server (benchmarks/floor)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.forwarding.client import Client
from benchmarks.forwarding.dtls import Half, Profile
from benchmarks.forwarding.process import Process

CRATE = Path(__file__).resolve().parent.parent / "floor"


def build() -> Path:
    """Build the programs; where they are."""
    manifest = CRATE / "Cargo.toml"
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--quiet", "--manifest-path", manifest], check=True
    )
    metadata = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version=1", "--manifest-path", manifest],
        check=True,
        capture_output=True,
        text=True,
    )
    return Path(json.loads(metadata.stdout)["target_directory"]) / "release"


@dataclass(frozen=True, slots=True)
class Flow:
    """One client whose path is up: what it needs to send or receive."""

    client: Client
    profile: Profile
    keys: Half
    """The direction in which media flows."""
    payload_type: int


@dataclass(frozen=True, slots=True)
class Result:
    """Of one run. Delays in microseconds, from before the publisher's encryption to the receiver's kernel."""

    sent: int
    received: int
    least: int
    """By the receiver that got the fewest."""
    other: int
    forged: int
    verified: int
    p50: int
    p99: int
    p999: int
    max: int
    cpu_s: float
    """The server's processor time over all threads."""
    seconds: int
    rss_bytes: int

    def delivered(self, receivers: int) -> float:
        return self.received / (self.sent * receivers)

    @property
    def cpu_us_per_packet(self) -> float:
        return self.cpu_s * 1e6 / max(self.received, 1)

    @property
    def cpu_share(self) -> float:
        return self.cpu_s / self.seconds


class Load:
    """The running program. `server` is whose processor time is read."""

    def __init__(
        self, programs: Path, publisher: Flow, ssrc: int, receivers: Sequence[Flow], server: Process
    ) -> None:
        flows = [publisher, *receivers]
        self._server = server
        self._process = Process(
            [programs / "load"], descriptors=[flow.client.socket.fileno() for flow in flows]
        )
        self._process.write(
            f"publisher {_session(publisher)} {ssrc} {publisher.payload_type} {publisher.client.check.hex()}"
        )
        # First, last and two between them are decrypted: they see the whole spread of a batch.
        count = len(receivers)
        verified = {0, count // 3, 2 * count // 3, count - 1}
        for index, flow in enumerate(receivers):
            self._process.write(
                f"receiver {_session(flow)} {flow.payload_type} {flow.client.check.hex()} "
                f"{index in verified:d}"
            )

    def run(self, *, rate: int, burst: int, seconds: int) -> Result:
        """Publish `rate` packets a second, `burst` at a time."""
        self._process.write(f"run {rate} {burst} {seconds}")
        assert self._process.read() == "started"
        before = self._server.cpu_s()
        assert self._process.read() == "ended"
        cpu_s = self._server.cpu_s() - before
        counted = dict(word.split("=") for word in self._process.read().split())
        return Result(
            **{name: int(value) for name, value in counted.items()},
            cpu_s=cpu_s,
            seconds=seconds,
            rss_bytes=self._server.rss_bytes(),
        )

    def close(self) -> None:
        self._process.close()


def _session(flow: Flow) -> str:
    return f"{flow.client.socket.fileno()} {flow.profile} {flow.keys.key.hex()} {flow.keys.salt.hex()}"
