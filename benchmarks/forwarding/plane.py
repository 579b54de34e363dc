"""hubbub's data plane in a process of its own (`plane_server`)."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.forwarding.client import TIMEOUT_S, Client, Remote
from benchmarks.forwarding.dtls import Certificate, Keys, Profile
from benchmarks.forwarding.load import Flow
from benchmarks.forwarding.process import Process
from benchmarks.forwarding.server import HOST, PAYLOAD_TYPE, SSRC, Room


class HubbubPlane:
    name = "hubbub"

    def __init__(self, profile: Profile) -> None:
        self._certificate = Certificate()
        self.process = Process([sys.executable, "-m", "benchmarks.forwarding.plane_server", str(profile)])
        self._port = int(self._ask("state")["port"])
        self.rss_per_receiver = 0.0
        """Growth of the process by each receiver, without what DTLS left behind."""

    def fill(self, receivers: int, profile: Profile) -> Room:
        client, keys = self._connect("publisher", profile)
        publisher = Flow(client, keys.profile, keys.local, PAYLOAD_TYPE)
        self._settle(1)
        before = self.process.rss_bytes()
        flows = []
        for _ in range(receivers):
            client, keys = self._connect("receiver", profile)
            flows.append(Flow(client, keys.profile, keys.remote, PAYLOAD_TYPE))
        self._settle(1 + receivers)
        self.rss_per_receiver = (self.process.rss_bytes() - before) / receivers
        return Room(publisher, SSRC, flows)

    def counters(self) -> dict[str, int]:
        return self._ask("counters")

    def close(self) -> None:
        self.process.close()

    def _connect(self, kind: str, profile: Profile) -> tuple[Client, Keys]:
        answer = self._ask(kind)
        client = Client(HOST)
        remote = Remote((HOST, self._port), answer["ufrag"], answer["pwd"])
        return client, client.connect(remote, self._certificate, profile)

    def _settle(self, keyed: int) -> None:
        """Wait until the server has all keys too, then have it give back free memory."""
        end = time.monotonic() + TIMEOUT_S
        while self._ask("state")["keyed"] < keyed:
            if time.monotonic() > end:
                raise TimeoutError(f"{keyed} handshakes did not end")
            time.sleep(0.01)
        self._ask("settle")

    def _ask(self, what: str) -> dict[str, Any]:
        self.process.write(json.dumps({"do": what}))
        answer: dict[str, Any] = json.loads(self.process.read())
        return answer
