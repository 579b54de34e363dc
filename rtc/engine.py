"""Owner of the data plane in this process: hands its events to the rooms that they are about."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtc.candidates import announced, candidate_lines
from rtc.plane import (
    ConsentLost,
    DtlsReceived,
    Event,
    PathSelected,
    Plane,
    QueueFull,
    RoomId,
    SinkId,
    SinkSwitched,
    SourceId,
    SourceLayer,
    SpeakersChanged,
    StatsReady,
    TransportId,
    WorkerFailed,
)
from rtc.transport import Certificates

if TYPE_CHECKING:
    from rtc.conference import Conference
    from rtc.events import MediaEvent
    from rtc.peer import Link, Peer

# Seconds between two looks at connection quality, and how long statistics may take.
QUALITY_INTERVAL = 3.0
STATISTICS_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """`addresses`: local addresses to bind, `0.0.0.0` and `::` allowed. `port` 0 takes a free one per worker.

    `public_ips` are announced instead of the interfaces' addresses; `loopback` announces 127.0.0.1 too
    (it always is where only loopback is bound).
    """

    addresses: tuple[str, ...] = ("0.0.0.0",)
    port: int = 7882
    workers: int = 0
    """0: one per core but one, at least one."""
    tcp: bool = True
    public_ips: tuple[str, ...] = ()
    loopback: bool = False


class MediaEngine:
    """One per process. `start` binds the sockets; conferences are made after it."""

    plane: Plane

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings
        self.certificates = Certificates()
        self._links: dict[TransportId, Peer] = {}
        self._owners: dict[SourceId | SinkId, Conference] = {}
        self._conferences: dict[RoomId, Conference] = {}
        self._endings: dict[RoomId, set[asyncio.Task[None]]] = {}
        self._numbers = itertools.count(1)
        self._tokens = itertools.count(1)
        self._statistics: dict[int, asyncio.Future[StatsReady]] = {}
        self._addresses: list[str] = []
        self._measuring: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises OSError when a port is taken, ValueError for what is no address."""
        settings = self._settings
        workers = settings.workers or max(1, (os.cpu_count() or 1) - 1)
        self._loop = asyncio.get_running_loop()
        self._addresses = announced(settings.addresses, settings.public_ips, loopback=settings.loopback)
        self.plane = Plane(
            addresses=settings.addresses, port=settings.port, workers=workers, tcp=settings.tcp
        )
        self.plane.start(self._loop, self._dispatch)
        self._measuring = asyncio.create_task(self._measure())

    async def close(self) -> None:
        """End every conference, transport and thread; peers are told. A second call does nothing."""
        if self._measuring is None:
            return
        measuring, self._measuring = self._measuring, None
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)
        for conference in list(self._conferences.values()):
            conference.close()
        while self._endings:
            await asyncio.wait(set[asyncio.Task[None]]().union(*self._endings.values()))
        self.plane.close()

    def conference(self, on_event: Callable[[MediaEvent], None]) -> Conference:
        """A new room. `on_event` is called on the loop's thread, in order."""
        from rtc.conference import Conference

        conference = Conference(self, on_event)
        self._conferences[conference.room] = conference
        return conference

    def ports(self) -> list[int]:
        return self.plane.ports()

    def counters(self) -> dict[str, int]:
        """Totals since the start, and what was dropped, by reason."""
        return self.plane.counters()

    # -- called by conferences

    def forget(self, conference: Conference) -> None:
        del self._conferences[conference.room]
        self._end(conference.room, self._remove_room(conference.room))

    def link(self, peer: Peer, link: Link) -> None:
        self._links[link.id] = peer

    def unlink(self, link: Link, room: RoomId) -> None:
        """Say farewell to the peer, then end the transport."""
        self._links.pop(link.id, None)
        self._end(room, self._close(link))

    def own(self, conference: Conference, handles: Sequence[SourceId | SinkId]) -> None:
        """Events of these go to that conference."""
        self._owners.update(dict.fromkeys(handles, conference))

    def disown(self, handles: Sequence[SourceId | SinkId]) -> None:
        for handle in handles:
            self._owners.pop(handle, None)

    def number(self) -> int:
        """Of a participant, for the plane: its workers have many rooms."""
        return next(self._numbers)

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return self._loop.time()

    def soon(self, work: Callable[[], None]) -> None:
        """In the next turn of the loop."""
        self._loop.call_soon(work)

    def later(self, seconds: float, work: Callable[[], None]) -> None:
        self._loop.call_later(seconds, work)

    def candidates(self, room: RoomId) -> list[str]:
        """Values of `a=candidate:` lines for the worker of that room."""
        port = self.plane.ports()[self.plane.worker_of(room)]
        return candidate_lines(self._addresses, port, tcp=self._settings.tcp)

    async def statistics(self, room: RoomId) -> StatsReady:
        """Raises TimeoutError where the worker does not answer in five seconds."""
        token = next(self._tokens)
        future: asyncio.Future[StatsReady] = self._loop.create_future()
        self._statistics[token] = future
        try:
            self.plane.request_stats(token, room=room)
            async with asyncio.timeout(STATISTICS_TIMEOUT):
                return await future
        finally:
            del self._statistics[token]

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(QUALITY_INTERVAL)
            for conference in [each for each in self._conferences.values() if each.peers]:
                try:
                    report = await self.statistics(conference.room)
                except (TimeoutError, QueueFull):
                    continue  # an overloaded worker says nothing of quality; the next turn asks again
                # In a turn of its own: what a listener raises goes to the loop's handler, and this goes on.
                self.soon(functools.partial(conference.measure, report))

    # -- endings

    async def _close(self, link: Link) -> None:
        await link.dtls.close()
        self.plane.close_transport(link.id)

    async def _remove_room(self, room: RoomId) -> None:
        """Behind the farewells of its transports, which go out through it."""
        current = asyncio.current_task()
        others = [task for task in self._endings.get(room, ()) if task is not current]
        await asyncio.gather(*others, return_exceptions=True)
        self.plane.remove_room(room)

    def _end(self, room: RoomId, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._endings.setdefault(room, set()).add(task)
        task.add_done_callback(functools.partial(self._ended, room))

    def _ended(self, room: RoomId, task: asyncio.Task[None]) -> None:
        self._endings[room].discard(task)
        if not self._endings[room]:
            del self._endings[room]
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": "a transport did not end in order", "exception": error}
            self._loop.call_exception_handler(context)

    # -- events of the plane

    def _dispatch(self, event: Event) -> None:
        match event:
            case DtlsReceived(transport, data):
                if (peer := self._links.get(transport)) and peer.link is not None:
                    peer.link.dtls.receive(data)
            case PathSelected(transport):
                if peer := self._links.get(transport):
                    peer.path_selected()
            case ConsentLost(transport):
                if peer := self._links.get(transport):
                    peer.path_lost()
            case SinkSwitched(sink, source):
                if sink in self._owners:
                    self._owners[sink].switched(sink, source)
            case SourceLayer(source, _, height):
                if source in self._owners:
                    self._owners[source].layer(source, height)
            case SpeakersChanged(room, levels):
                if room in self._conferences:
                    self._conferences[room].spoke(levels)
            case StatsReady(token):
                if token in self._statistics and not self._statistics[token].done():
                    self._statistics[token].set_result(event)
            case WorkerFailed(rooms=rooms):
                for room in [room for room in rooms if room in self._conferences]:
                    conference = self._conferences.pop(room)
                    conference.worker_failed()
                    self._conferences[conference.room] = conference
