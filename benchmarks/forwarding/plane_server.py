"""A small server around `rtc.plane`, steered by lines of JSON: the program that `plane` starts.

One room. `publisher` and `receiver` add a transport and answer its credentials; `state` answers the port and
how many handshakes have ended; `settle` gives back what the handshakes left; `counters` answers the plane's.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import secrets
import sys
from typing import Any

from benchmarks.forwarding.dtls import Certificate, Handshake, Profile
from benchmarks.forwarding.server import HOST, PAYLOAD_TYPE, SSRC
from rtc.plane import DtlsReceived, Event, Payload, Plane, SourceId, SrtpProfile, TransportId, WorkerFailed

VP8 = Payload(PAYLOAD_TYPE, "vp8", 1, 90_000, nack=True, pli=True)
RECEIVER_SSRC = 0x55000000


class PlaneServer:
    def __init__(self, loop: asyncio.AbstractEventLoop, profile: Profile) -> None:
        self._plane = Plane(addresses=[HOST], port=0, workers=1)
        self._plane.start(loop, self._on_event)
        self._room = self._plane.add_room()
        self._context = Certificate().context(profile)
        self._handshakes: dict[TransportId, Handshake] = {}
        self._source: SourceId | None = None
        self._keyed = 0
        self._receivers = 0

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["do"]:
            case "publisher":
                return self._add_publisher()
            case "receiver":
                return self._add_receiver()
            case "counters":
                return self._plane.counters()
            case "settle":
                _return_free_memory()
                return {}
            case _:
                return {"keyed": self._keyed, "port": self._plane.ports()[0]}

    def close(self) -> None:
        self._plane.close()

    def _add_publisher(self) -> dict[str, Any]:
        transport, credentials = self._add_transport()
        self._source = self._plane.add_source(
            transport, kind="video", mid="0", payloads=[VP8], participant=1, ssrc=SSRC
        )
        return credentials

    def _add_receiver(self) -> dict[str, Any]:
        transport, credentials = self._add_transport()
        self._receivers += 1
        sink = self._plane.add_sink(
            transport, kind="video", mid="0", ssrc=RECEIVER_SSRC + self._receivers, payloads=[VP8]
        )
        assert self._source is not None
        self._plane.route(sink, [self._source])
        return credentials

    def _add_transport(self) -> tuple[TransportId, dict[str, Any]]:
        ufrag, pwd = secrets.token_hex(4), secrets.token_hex(12)
        transport = self._plane.add_transport(self._room, ufrag, pwd)
        self._handshakes[transport] = Handshake(self._context, client=False)
        return transport, {"ufrag": ufrag, "pwd": pwd}

    def _on_event(self, event: Event) -> None:
        if isinstance(event, WorkerFailed):
            raise RuntimeError(event.reason)
        if isinstance(event, DtlsReceived) and event.transport in self._handshakes:
            self._receive_dtls(event.transport, event.data)

    def _receive_dtls(self, transport: TransportId, datagram: bytes) -> None:
        handshake = self._handshakes[transport]
        keys = handshake.receive(datagram)
        for out in handshake.datagrams():
            self._plane.send_dtls(transport, out)
        if keys is not None:
            profile: SrtpProfile = keys.profile
            self._plane.set_srtp(
                transport,
                profile,
                local_key=keys.local.key,
                local_salt=keys.local.salt,
                remote_key=keys.remote.key,
                remote_salt=keys.remote.salt,
            )
            del self._handshakes[transport]
            self._keyed += 1


def _return_free_memory() -> None:
    """What Python and OpenSSL freed counts as used until glibc gives it back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


async def serve(profile: Profile) -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    server = PlaneServer(loop, profile)
    while line := await lines.readline():
        print(json.dumps(server.answer(json.loads(line))), flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(1 if sys.argv[1] == "1" else 7))
