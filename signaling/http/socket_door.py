"""The door between an outbox and a WebSocket: writes, heartbeat, closing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from signaling.errors import CloseCode
from signaling.http.framing import PING, PONG, FramedSocket, encode, text_frame
from signaling.outbox import Outbox

# Bytes in the transport's buffer above which frames stay in the outbox, where they count against its limit.
HIGH_WATER = 64 * 1024
# Seconds between looks at a transport that is above it. Only slow readers are looked at.
RETRY_SECONDS = 0.05
# Seconds that a closed socket is kept: a reader that wakes up learns why it was closed.
LINGER_SECONDS = 5.0


class SocketDoor:
    """Writes one connection's outbox. `on_closing` is called once, when the server decides to close."""

    def __init__(
        self, socket: FramedSocket, interval: float, patience: float, on_closing: Callable[[], None]
    ) -> None:
        """Pings every `interval` seconds and closes (4408) when `patience` seconds pass without an answer."""
        self._socket = socket
        self._interval = interval
        self._patience = patience
        self._on_closing = on_closing
        self._loop = asyncio.get_running_loop()
        self._turn: asyncio.Handle | None = None
        self._heard = False
        self._beat = self._loop.call_later(interval, self._ping)
        self._linger: asyncio.TimerHandle | None = None
        self.outbox = Outbox(self)

    def wake(self) -> None:
        if self._turn is None:
            self._turn = self._loop.call_soon(self._write)

    def flush(self) -> None:
        """Write what is queued, unless the transport is behind; then look again a little later."""
        closing = self.outbox.closing
        if closing is None and self._socket.backlog > HIGH_WATER:
            self._retry()
            return
        if frames := self.outbox.take():
            self._socket.put(b"".join([text_frame(frame) for frame in frames]))
        if closing is not None and self._linger is None:
            self._socket.say_close(closing.code, closing.reason)
            self._linger = self._loop.call_later(LINGER_SECONDS, self._socket.abort)
            self._on_closing()

    def heard(self) -> None:
        """The peer sent something."""
        self._heard = True

    def pong(self, payload: bytes) -> None:
        """RFC 6455 section 5.5.3 lets pings be skipped: whoever does not read gets no more to read."""
        if self._socket.backlog <= HIGH_WATER:
            self._socket.put(encode(PONG, payload))

    def shut(self) -> None:
        """The connection is over."""
        self._beat.cancel()
        if self._turn is not None:
            self._turn.cancel()
        if self._linger is not None:
            self._linger.cancel()
        self._socket.hang_up()

    def _write(self) -> None:
        self._turn = None
        self.flush()

    def _retry(self) -> None:
        if self._turn is None:
            self._turn = self._loop.call_later(RETRY_SECONDS, self._write)

    def _ping(self) -> None:
        self._heard = False
        self._socket.put(encode(PING, b""))
        self._beat = self._loop.call_later(self._patience, self._expect_answer)

    def _expect_answer(self) -> None:
        if self._heard:
            self._beat = self._loop.call_later(max(0.0, self._interval - self._patience), self._ping)
        else:
            self.outbox.close(CloseCode.HEARTBEAT_LOST, "no answer to the heartbeat")
