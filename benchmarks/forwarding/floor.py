"""The floor (benchmarks/floor): receive, decrypt, encrypt, send as runs, nothing else.

Keys are given to it: no handshake.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.forwarding.client import Client
from benchmarks.forwarding.dtls import Half, Profile
from benchmarks.forwarding.load import Flow
from benchmarks.forwarding.process import Process
from benchmarks.forwarding.server import HOST, PAYLOAD_TYPE, SSRC, Room


class Floor:
    name = "floor"

    def __init__(self, programs: Path) -> None:
        self.process = Process([programs / "floor"])

    def fill(self, receivers: int, profile: Profile) -> Room:
        self.process.write(f"listen {HOST}")
        address = (HOST, int(self.process.read()))
        publisher = self._flow(address, profile)
        self.process.write(f"in {_words(publisher)}")
        flows = [self._flow(address, profile) for _ in range(receivers)]
        for flow in flows:
            host, port = flow.client.address
            self.process.write(f"out {host}:{port} {_words(flow)}")
        self.process.write("go")
        return Room(publisher, SSRC, flows)

    def close(self) -> None:
        self.process.close()

    @staticmethod
    def _flow(address: tuple[str, int], profile: Profile) -> Flow:
        client = Client(HOST)
        client.socket.connect(address)
        client.check = b"\0\0"  # not media, so the floor drops it
        return Flow(
            client, profile, Half(os.urandom(16), os.urandom(14 if profile == 1 else 12)), PAYLOAD_TYPE
        )


def _words(flow: Flow) -> str:
    return f"{flow.profile} {flow.keys.key.hex()} {flow.keys.salt.hex()}"
