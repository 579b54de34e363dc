"""The door between an outbox and the data channel `events`: the room protocol without a second socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from rtc.conference import ChannelFull, DataChannel, TransportError
from signaling.errors import CloseCode
from signaling.outbox import Outbox
from signaling.session import Observe, Session

if TYPE_CHECKING:
    from signaling.hosting import Hosting
    from signaling.participant import Participant
    from signaling.room import Room

log = structlog.get_logger("hubbub.channel")
# Requests of one channel that may wait while one is answered. A WebSocket's reader stops reading instead; a
# data channel cannot, so beyond this it is closed.
MAX_WAITING = 256


class ChannelDoor:
    """One channel's conversation. Lives until the channel or the participant is gone."""

    def __init__(
        self,
        channel: DataChannel,
        room: Room,
        participant: Participant,
        hosting: Hosting,
        clock: Callable[[], float],
        observe: Observe,
    ) -> None:
        self._channel = channel
        self._room = room
        self._hosting = hosting
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._turn: asyncio.Handle | None = None
        self._requests: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)
        self.outbox = Outbox(self)
        self._session = Session.within(room, participant, self.outbox, clock(), observe)
        channel.on_message = self._heard
        channel.on_close = self._closed
        channel.on_drained = self.wake
        self._answering = asyncio.create_task(self._answer())

    def wake(self) -> None:
        if self._turn is None:
            self._turn = self._loop.call_soon(self._write)

    def flush(self) -> None:
        """Send what the channel's transport takes; the rest stays and counts against the outbox."""
        while self._channel.open and (waiting := self.outbox.peek()) is not None:
            try:
                self._channel.send(waiting.payload.decode())
            except (ChannelFull, TransportError):
                break
            self.outbox.drop_first()
        if self.outbox.closing is not None:
            self._channel.close()

    def _write(self) -> None:
        self._turn = None
        self.flush()

    def _heard(self, message: bytes | str) -> None:
        if isinstance(message, bytes):
            self.outbox.close(CloseCode.BAD_MESSAGE, "binary messages have no meaning here")
            return
        try:
            self._requests.put_nowait(message)
        except asyncio.QueueFull:
            self.outbox.close(CloseCode.RATE_LIMITED, f"more than {MAX_WAITING} requests are waiting")

    async def _answer(self) -> None:
        while self.outbox.closing is None:
            request = await self._requests.get()
            try:
                await self._hosting.run(self._session.receive(request, self._clock()))
            except Exception:
                # The border of the process: a bug of ours costs this channel.
                log.exception("request_failed", door="channel")
                self.outbox.close(CloseCode.INTERNAL, "the server failed to answer a request")
            self._hosting.settle(self._room)

    def _closed(self) -> None:
        self._answering.cancel()
        self._session.lost(self._clock())
        self._hosting.settle(self._room)
