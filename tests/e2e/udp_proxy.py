"""A UDP proxy between one client and the server's media port, with seeded impairments."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial


@dataclass
class Impairment:
    """What happens to datagrams of one direction. Probabilities are 0 to 1; `delay` is in seconds."""

    loss: float = 0.0
    delay: float = 0.0


@dataclass
class UdpProxy:
    """Forwards datagrams of clients to `server` (host, port) and back; each client has its own socket."""

    server: tuple[str, int]
    seed: int
    to_server: Impairment = field(default_factory=Impairment)
    to_client: Impairment = field(default_factory=Impairment)
    port: int = 0
    dropped: int = 0
    forwarded: int = 0

    async def __aenter__(self) -> "UdpProxy":
        self._random = random.Random(self.seed)
        self._upstreams: dict[tuple[str, int], asyncio.DatagramTransport] = {}
        self._opening: set[asyncio.Task[None]] = set()
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(
            lambda: _Front(self), local_addr=("127.0.0.1", 0)
        )
        self.port = self._front.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._opening:
            task.cancel()
        self.change_client_port()
        self._front.close()

    def change_client_port(self) -> None:
        """What a NAT does when it forgets: the server sees the client's next datagram from a new port."""
        for upstream in self._upstreams.values():
            upstream.close()
        self._upstreams.clear()

    def from_client(self, data: bytes, client: tuple[str, int]) -> None:
        upstream = self._upstreams.get(client)
        if upstream is None:
            task = asyncio.ensure_future(self._open(client, data))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        else:
            self._pass(self.to_server, partial(send, upstream, data))

    def from_server(self, data: bytes, client: tuple[str, int]) -> None:
        self._pass(self.to_client, partial(send, self._front, data, client))

    async def _open(self, client: tuple[str, int], first: bytes) -> None:
        loop = asyncio.get_running_loop()
        upstream, _ = await loop.create_datagram_endpoint(
            lambda: _Back(self, client), remote_addr=self.server
        )
        if client in self._upstreams:  # another datagram of the same client was quicker
            upstream.close()
            upstream = self._upstreams[client]
        self._upstreams[client] = upstream
        self._pass(self.to_server, partial(send, upstream, first))

    def _pass(self, impairment: Impairment, send: Callable[[], None]) -> None:
        if self._random.random() < impairment.loss:
            self.dropped += 1
            return
        self.forwarded += 1
        if impairment.delay:
            asyncio.get_running_loop().call_later(impairment.delay, send)
        else:
            send()


class _Front(asyncio.DatagramProtocol):
    def __init__(self, proxy: UdpProxy) -> None:
        self.proxy = proxy

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.proxy.from_client(data, addr)


class _Back(asyncio.DatagramProtocol):
    def __init__(self, proxy: UdpProxy, client: tuple[str, int]) -> None:
        self.proxy = proxy
        self.client = client

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.proxy.from_server(data, self.client)


def send(transport: asyncio.DatagramTransport, data: bytes, to: tuple[str, int] | None = None) -> None:
    """Delayed datagrams may find their socket closed."""
    if not transport.is_closing():
        transport.sendto(data, to)
