"""The plane through real sockets on loopback: STUN is answered, events come up, failures are survived."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import aioice.stun as stun
import pytest

from rtc.plane import (
    Address,
    DtlsReceived,
    Event,
    PathSelected,
    Payload,
    Plane,
    QueueFull,
    RoomId,
    StatsReady,
    TransportId,
    WorkerFailed,
)

UFRAG, PASSWORD = "ourufrag", "our-password-of-24-chars"
AnEvent = TypeVar("AnEvent", bound=Event)


class Bench:
    """A plane on this test's loop, and what it told so far."""

    def __init__(self, workers: int, address: str) -> None:
        self.plane = Plane(addresses=[address], port=0, workers=workers)
        self.address = address
        self.events: list[Event] = []
        self._waiting = asyncio.Event()
        self.plane.start(asyncio.get_running_loop(), self._note)

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._waiting.set()

    async def told(self, kind: type[AnEvent], accept: Callable[[AnEvent], bool] = lambda _: True) -> AnEvent:
        """The first event of this kind, waited for."""
        async with asyncio.timeout(10):
            while True:
                for event in self.events:
                    if isinstance(event, kind) and accept(event):
                        return event
                self._waiting.clear()
                await self._waiting.wait()

    async def counted(self, name: str, least: int = 1) -> None:
        async with asyncio.timeout(10):
            while self.plane.counters()[name] < least:  # noqa: ASYNC110 - counters raise no event
                await asyncio.sleep(0.005)

    def peer(self, worker: int = 0) -> "UdpPeer":
        return UdpPeer(self.address, self.plane.ports()[worker])


@contextlib.asynccontextmanager
async def bench(workers: int = 1, address: str = "127.0.0.1") -> AsyncIterator[Bench]:
    made = Bench(workers, address)
    try:
        yield made
    finally:
        made.plane.close()


class UdpPeer:
    """The other end of one path."""

    def __init__(self, address: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((address, 0))
        self.socket.connect((address, port))

    @property
    def address(self) -> Address:
        return Address(*self.socket.getsockname()[:2])

    def send(self, data: bytes) -> None:
        self.socket.send(data)

    async def receive(self) -> bytes:
        async with asyncio.timeout(10):
            return await asyncio.get_running_loop().sock_recv(self.socket, 2048)

    async def check(self, password: str = PASSWORD, ufrag: str = UFRAG) -> stun.Message:
        self.send(bytes(check(ufrag, password)))
        return verified(await self.receive(), password)

    def __enter__(self) -> "UdpPeer":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def check(ufrag: str = UFRAG, password: str = PASSWORD) -> stun.Message:
    """A connectivity check that nominates (RFC 8445 section 7.1)."""
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{ufrag}:theirs"
    request.attributes["PRIORITY"] = 1853824767
    request.attributes["ICE-CONTROLLING"] = 1
    request.attributes["USE-CANDIDATE"] = None
    request.add_message_integrity(password.encode())
    return request


def verified(data: bytes, password: str = PASSWORD) -> stun.Message:
    message = stun.parse_message(data)
    assert message.check_message_integrity(password.encode())
    return message


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_check_over_udp_is_answered_and_selects_the_path(address: str) -> None:
    async with bench(address=address) as here:
        transport = here.plane.add_transport(here.plane.add_room(), UFRAG, PASSWORD)
        with here.peer() as peer:
            answer = await peer.check()
            assert answer.message_class == stun.Class.RESPONSE
            assert answer.attributes["XOR-MAPPED-ADDRESS"] == tuple(peer.address)
            selected = await here.told(PathSelected)
            ours = Address(address, here.plane.ports()[0])
            assert selected == PathSelected(transport, "udp", ours, peer.address)


async def test_a_wildcard_socket_answers_from_the_address_that_was_asked() -> None:
    plane = Plane(addresses=["0.0.0.0"], port=0, workers=1)
    try:
        plane.add_transport(plane.add_room(), UFRAG, PASSWORD)
        with UdpPeer("127.0.0.1", plane.ports()[0]) as peer:
            peer.socket.close()
            peer.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            peer.socket.setblocking(False)
            peer.socket.connect(("127.0.0.9", plane.ports()[0]))  # hears no other address
            assert (await peer.check()).message_class == stun.Class.RESPONSE
    finally:
        plane.close()


async def test_a_check_over_tcp_is_answered_and_selects_the_path() -> None:
    async with bench() as here:
        transport = here.plane.add_transport(here.plane.add_room(), UFRAG, PASSWORD)
        reader, writer = await asyncio.open_connection("127.0.0.1", here.plane.ports()[0])
        request = bytes(check())
        framed = len(request).to_bytes(2, "big") + request
        writer.write(framed[:7])
        await writer.drain()
        writer.write(framed[7:])
        async with asyncio.timeout(10):
            length = int.from_bytes(await reader.readexactly(2), "big")
            answer = verified(await reader.readexactly(length))
        ours = Address(*writer.get_extra_info("sockname")[:2])
        assert answer.attributes["XOR-MAPPED-ADDRESS"] == tuple(ours)
        selected = await here.told(PathSelected)
        assert (selected.transport, selected.protocol, selected.remote) == (transport, "tcp", ours)
        writer.close()
        await writer.wait_closed()
        await here.counted("tcp_closed")


async def test_connections_beyond_the_bound_of_an_address_are_closed_at_once() -> None:
    async with bench() as here, contextlib.AsyncExitStack() as connections:
        for _ in range(70):
            reader, writer = await asyncio.open_connection("127.0.0.1", here.plane.ports()[0])
            connections.callback(writer.close)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        counters = here.plane.counters()
        assert (counters["tcp_accepted"], counters["tcp_refused"]) == (64, 6)


async def test_a_check_with_the_wrong_password_is_counted() -> None:
    async with bench() as here:
        here.plane.add_transport(here.plane.add_room(), UFRAG, PASSWORD)
        with here.peer() as peer:
            peer.send(bytes(check(password="guessed-password-24-chars")))
            await here.counted("drop_stun_bad_integrity")
        assert here.events == []


async def test_random_datagrams_are_counted() -> None:
    async with bench() as here:
        with here.peer() as peer:
            peer.send(b"\xff" * 100)
            peer.send(b"")
            peer.send(b"\x80\x60" + bytes(40))
            await here.counted("drop_unvalidated")
            await here.counted("drop_unknown_protocol", 2)


async def test_dtls_travels_both_ways_once_the_address_is_validated() -> None:
    async with bench() as here:
        transport = here.plane.add_transport(here.plane.add_room(), UFRAG, PASSWORD)
        hello = b"\x16\xfe\xfd" + bytes(60)
        with here.peer() as peer:
            peer.send(hello)
            await here.counted("drop_unvalidated")
            await peer.check()
            peer.send(hello)
            assert await here.told(DtlsReceived) == DtlsReceived(transport, hello)
            here.plane.send_dtls(transport, hello[::-1])
            assert await peer.receive() == hello[::-1]


async def test_a_failed_worker_says_what_it_lost_and_serves_again_on_the_same_port() -> None:
    async with bench() as here:
        room = here.plane.add_room()
        transport = here.plane.add_transport(room, UFRAG, PASSWORD)
        with here.peer() as peer:
            await peer.check()
            here.plane._dataplane.fail_worker(0)
            failed = await here.told(WorkerFailed)
            assert (failed.worker, failed.rooms, failed.transports) == (0, (room,), (transport,))
            assert failed.reason == "failure on demand"
            here.plane.add_transport(here.plane.add_room(), "newufrag", PASSWORD)
            await peer.check(ufrag="newufrag")
        assert here.plane.counters()["worker_failures"] == 1


async def test_a_failed_worker_leaves_the_others_alone() -> None:
    async with bench(workers=2) as here:
        rooms = [here.plane.add_room(), here.plane.add_room()]
        assert [here.plane.worker_of(room) for room in rooms] == [0, 1]
        here.plane.add_transport(rooms[1], UFRAG, PASSWORD)
        here.plane._dataplane.fail_worker(0)
        assert (await here.told(WorkerFailed)).rooms == (rooms[0],)
        with here.peer(worker=1) as peer:
            await peer.check()


async def test_rooms_go_to_the_least_loaded_worker() -> None:
    async with bench(workers=3) as here:
        rooms = [here.plane.add_room() for _ in range(3)]
        for _ in range(2):
            here.plane.add_transport(rooms[0], UFRAG, PASSWORD)
        here.plane.add_transport(rooms[1], UFRAG, PASSWORD)
        assert here.plane.worker_of(here.plane.add_room()) == here.plane.worker_of(rooms[2])
        here.plane.remove_room(rooms[0])
        assert here.plane.worker_of(here.plane.add_room()) == here.plane.worker_of(rooms[0])


async def test_a_full_command_queue_raises_and_empties_again() -> None:
    async with bench() as here:

        def fill() -> bool:
            try:
                for _ in range(65_537):
                    here.plane.remove_room(RoomId(0))
            except QueueFull:
                return True
            return False

        # Only a worker that stalls lets its queue fill: one does for a moment after a failure.
        for attempt in range(1, 51):
            here.plane._dataplane.fail_worker(0)
            await here.counted("worker_failures", attempt)
            if fill():
                break
        else:
            pytest.fail("the queue was never full")
        await here.counted("drop_command_unknown_handle")
        # What was taken is worked off, and what comes after it too.
        here.plane.request_stats(1, room=await accepted(here.plane.add_room))
        await here.told(StatsReady)


async def accepted(command: Callable[[], RoomId]) -> RoomId:
    """Ask again for as long as the queue is full."""
    async with asyncio.timeout(30):
        while True:
            try:
                return command()
            except QueueFull:
                await asyncio.sleep(0.01)


async def test_statistics_are_answered_by_token() -> None:
    async with bench() as here:
        room = here.plane.add_room()
        transport = here.plane.add_transport(room, UFRAG, PASSWORD)
        opus = Payload(111, "opus", 1, 48_000)
        source = here.plane.add_source(
            transport, kind="audio", mid="0", payloads=[opus], participant=1, ssrc=5
        )
        sink = here.plane.add_sink(transport, kind="audio", mid="1", ssrc=6, payloads=[opus])
        here.plane.route(sink, [source])
        here.plane.request_stats(77, room=room)
        stats = await here.told(StatsReady)
        assert stats.token == 77
        assert [entry["transport"] for entry in stats.transports] == [transport]
        assert [(entry["source"], entry["kind"], entry["packets"]) for entry in stats.sources] == [
            (source, "audio", 0)
        ]
        assert [(entry["sink"], entry["transport"]) for entry in stats.sinks] == [(sink, transport)]


async def test_what_a_handler_raises_goes_to_the_loop_and_the_next_event_comes() -> None:
    raised: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context["exception"]))
    plane = Plane(addresses=["127.0.0.1"], port=0, workers=1)
    seen = asyncio.Event()

    def handle(event: Event) -> None:
        if isinstance(event, StatsReady) and event.token == 1:
            raise KeyError("a bug")
        seen.set()

    try:
        plane.start(asyncio.get_running_loop(), handle)
        room = plane.add_room()
        plane.request_stats(1, room=room)
        plane.request_stats(2, room=room)
        async with asyncio.timeout(10):
            await seen.wait()
        assert [type(error) for error in raised] == [KeyError]
    finally:
        plane.close()


async def test_closing_frees_the_ports_and_may_be_repeated() -> None:
    async with bench() as here:
        port = here.plane.ports()[0]
        here.plane.close()
        here.plane.close()
        again = Plane(addresses=["127.0.0.1"], port=port, workers=1)
        assert again.ports() == [port]
        again.close()


def test_an_address_in_use_is_named() -> None:
    plane = Plane(addresses=["127.0.0.1"], port=0, workers=1)
    port = plane.ports()[0]
    with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
        Plane(addresses=["127.0.0.1"], port=port, workers=1)
    plane.close()


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="localhost"):
        Plane(addresses=["localhost"], port=0, workers=1)


@pytest.mark.parametrize(
    ("profile", "key", "salt"), [(7, 15, 12), (7, 16, 14), (8, 16, 12), (1, 16, 12), (2, 16, 14)]
)
def test_keys_of_the_wrong_length_or_profile_are_refused(profile: int, key: int, salt: int) -> None:
    plane = Plane(addresses=["127.0.0.1"], port=0, workers=1)
    with pytest.raises(ValueError, match=r"bytes of key|no known SRTP"):
        plane.set_srtp(
            TransportId(0),
            profile,  # type: ignore[arg-type]  # two of them are no profile
            local_key=bytes(key),
            local_salt=bytes(salt),
            remote_key=bytes(key),
            remote_salt=bytes(salt),
        )
    plane.close()
