"""What a server under measurement must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from benchmarks.forwarding.dtls import Profile
from benchmarks.forwarding.load import Flow
from benchmarks.forwarding.process import Process


@dataclass(frozen=True, slots=True)
class Room:
    """A publisher and its receivers, connected, keys agreed, everything routed."""

    publisher: Flow
    ssrc: int
    receivers: list[Flow]

    def close(self) -> None:
        for flow in [self.publisher, *self.receivers]:
            flow.client.close()


class Server(Protocol):
    name: str
    process: Process

    def fill(self, receivers: int, profile: Profile) -> Room:
        """One room with so many receivers."""

    def close(self) -> None: ...


HOST = "10.77.0.1"
"""An address of the benchmark's own network namespace: Janus and libnice ignore loopback interfaces."""
PAYLOAD_TYPE = 96
SSRC = 0x11223344
