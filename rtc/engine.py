"""Owner of the data plane in this process: hands its events to the rooms that they are about."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtc.candidates import announced, candidate_lines
from rtc.plane import (
    ConsentLost,
    DtlsReceived,
    Event,
    Plane,
    QueueFull,
    RoomId,
    SinkId,
    SinkSwitched,
    SpeakersChanged,
    StatsReady,
    TransportId,
    WorkerFailed,
)
from rtc.transport import Certificates

if TYPE_CHECKING:
    from rtc.conference import Conference
    from rtc.events import MediaEvent
    from rtc.peer import Peer

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
        self.transports: dict[TransportId, tuple[Conference, Peer]] = {}
        self.sinks: dict[SinkId, Conference] = {}
        self._conferences: list[Conference] = []
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
        """End every transport and the plane's threads."""
        if self._measuring is None:
            return
        self._measuring.cancel()
        await asyncio.gather(self._measuring, return_exceptions=True)
        endings = [
            task for each in self._conferences for peer in each.peers.values() for task in peer.endings
        ]
        for conference in list(self._conferences):
            peers = list(conference.peers.values())
            conference.close()
            endings += [task for peer in peers for task in peer.endings]
        await asyncio.gather(*endings, return_exceptions=True)
        self.plane.close()

    def conference(self, on_event: Callable[[MediaEvent], None]) -> Conference:
        """A new room. `on_event` is called on the loop's thread, in order."""
        from rtc.conference import Conference

        conference = Conference(self, on_event)
        self._conferences.append(conference)
        return conference

    def ports(self) -> list[int]:
        return self.plane.ports()

    def counters(self) -> dict[str, int]:
        """Totals since the start, and what was dropped, by reason."""
        return self.plane.counters()

    # -- called by conferences

    def forget(self, conference: Conference) -> None:
        self._conferences.remove(conference)

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return self._loop.time()

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
            for conference in list(self._conferences):
                if not conference.peers:
                    continue
                try:
                    conference.measure(await self.statistics(conference.room))
                except (TimeoutError, QueueFull):
                    continue  # an overloaded worker says nothing of quality; the next turn asks again

    # -- events of the plane

    def _dispatch(self, event: Event) -> None:
        match event:
            case DtlsReceived(transport, data):
                if transport in self.transports and (link := self.transports[transport][1].link):
                    link.dtls.receive(data)
            case SinkSwitched(sink, source):
                if sink in self.sinks:
                    self.sinks[sink].switched(sink, source)
            case SpeakersChanged(room, levels):
                for conference in self._conferences:
                    if conference.room == room:
                        conference.spoke(levels)
            case ConsentLost(transport):
                if transport in self.transports:
                    conference, peer = self.transports[transport]
                    conference.lost(peer, "consent")
            case StatsReady(token):
                if token in self._statistics and not self._statistics[token].done():
                    self._statistics[token].set_result(event)
            case WorkerFailed(rooms=rooms):
                for conference in [each for each in self._conferences if each.room in rooms]:
                    conference.worker_failed()
