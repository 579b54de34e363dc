"""The door between an outbox and a response of server-sent events.

Like the room's socket (signaling/http/framing.py): blocks are put into HTTP chunks once, not once per reader,
and a loop turn's blocks go to the transport in one write, behind the head that aiohttp has written.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from aiohttp import HttpVersion11, hdrs, web

from signaling.errors import CloseCode
from signaling.eventsource import KEEPALIVE, try_later
from signaling.outbox import Frame, Outbox

# Seconds between comments, so that proxies do not take a quiet stream for a dead one (protocol section 4).
KEEPALIVE_SECONDS = 15.0
# Milliseconds that browsers wait before they connect again: spread, so that they do not come back together.
RETRY_MS = (1_000, 3_000)
OVERLOADED_RETRY_MS = (5_000, 15_000)
# Bytes in the transport's buffer above which blocks stay in the outbox, where they count against its limit.
HIGH_WATER = 64 * 1024
# Seconds between looks at a transport that is above it. Only slow readers are looked at.
RETRY_SECONDS = 0.05
# Seconds that an ended response gets to reach its reader.
LINGER_SECONDS = 5.0
HEADERS = {
    hdrs.CONTENT_TYPE: "text/event-stream",
    hdrs.CACHE_CONTROL: "no-store",
    # nginx buffers whole responses otherwise.
    "X-Accel-Buffering": "no",
}


class StreamEnded(Exception):
    """There is nobody left to write for."""


class EventStream:
    """One reader's response. `open` first, then push into `outbox`; `ended` returns when it is over."""

    def __init__(self, headers: dict[str, str] | None = None) -> None:
        self.outbox = Outbox(self)
        self._response = web.StreamResponse(headers={**HEADERS, **(headers or {})})
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._chunked = True
        self._turn: asyncio.Handle | None = None
        self._over = asyncio.Event()
        self._drained = asyncio.Event()
        self._beat: asyncio.TimerHandle | None = None
        self.keepalive: Callable[[], Frame] = lambda: KEEPALIVE
        """What to send every 15 s."""

    async def open(self, request: web.Request) -> None:
        """Send the head; what is in the outbox follows. Raises ConnectionError when the reader has gone."""
        self._chunked = request.version >= HttpVersion11
        if self._chunked:
            self._response.enable_chunked_encoding()
        # The connection is not used again: from here on its reading end only says when the reader has gone.
        self._response.force_close()
        await self._response.prepare(request)
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError("the reader has gone")
        hangup: Any = _Hangup(self._gone)
        request.protocol.set_parser(hangup)
        # An empty write sends the head alone.
        await self._response.write(b"")
        self._transport = request.transport
        self._beat = self._loop.call_later(KEEPALIVE_SECONDS, self._keep_alive)
        self.wake()

    async def ended(self) -> None:
        """Wait until the reader has gone, or until `end` and everything before it is written."""
        await self._over.wait()

    async def drained(self) -> None:
        """Wait until the reader has taken nearly all that was pushed. Raises StreamEnded."""
        while not self._over.is_set() and self.outbox.closing is None and not self._caught_up():
            self._drained.clear()
            await self._drained.wait()
        if self._over.is_set() or self.outbox.closing is not None:
            raise StreamEnded

    def end(self, code: CloseCode = CloseCode.NORMAL, reason: str = "") -> None:
        """End the response behind what was pushed. Nobody is told why: the reader comes back and sees."""
        self.outbox.close(code, reason)

    def finish(self) -> web.StreamResponse:
        """What the handler returns. aiohttp writes the end of the body."""
        self._over.set()
        if self._turn is not None:
            self._turn.cancel()
        if self._beat is not None:
            self._beat.cancel()
        if self._transport is not None:
            self._loop.call_later(LINGER_SECONDS, self._transport.abort)
        return self._response

    # -- Door

    def wake(self) -> None:
        if self._turn is None and self._transport is not None:
            self._turn = self._loop.call_soon(self._write)

    def flush(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return None
        closing = self.outbox.closing
        if transport.get_write_buffer_size() > HIGH_WATER and closing is None:
            return self._retry()
        if frames := self.outbox.take():
            transport.write(b"".join([self._wire(frame) for frame in frames]))
        if closing is not None:
            self._over.set()
        elif not self._caught_up():
            self._retry()
        self._drained.set()
        return None

    def _write(self) -> None:
        self._turn = None
        self.flush()

    def _retry(self) -> None:
        if self._turn is None:
            self._turn = self._loop.call_later(RETRY_SECONDS, self._write)

    def _caught_up(self) -> bool:
        transport = self._transport
        return (
            transport is not None
            and self.outbox.size == 0
            and transport.get_write_buffer_size() <= HIGH_WATER
        )

    def _wire(self, frame: Frame) -> bytes:
        if not self._chunked:
            return frame.payload
        if frame.wire is None:
            frame.wire = b"%x\r\n%b\r\n" % (len(frame.payload), frame.payload)
        return frame.wire

    def _keep_alive(self) -> None:
        self.outbox.push(self.keepalive())
        self._beat = self._loop.call_later(KEEPALIVE_SECONDS, self._keep_alive)

    def _gone(self) -> None:
        self.outbox.close(CloseCode.NORMAL, "the reader has gone")
        self._over.set()
        self._drained.set()


class _Hangup:
    """Takes the place of the request parser: what readers send after their request has no meaning."""

    def __init__(self, gone: Callable[[], None]) -> None:
        self._gone = gone

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        return False, b""

    def feed_eof(self) -> None:
        self._gone()


def retry_ms() -> int:
    return random.randint(*RETRY_MS)


async def overloaded(request: web.Request) -> web.StreamResponse:
    """200, a long `retry:`, and the end."""
    stream = EventStream()
    await stream.open(request)
    stream.outbox.push(try_later(random.randint(*OVERLOADED_RETRY_MS)))
    stream.end()
    await stream.ended()
    return stream.finish()
