"""Documents over a data channel: the messages of y-websocket, cut into pieces (protocol section 6).

SCTP sends a message as a whole and blocks the others of its association meanwhile, and 16 KiB is what every
browser takes: so one byte 0 (more follows) or 1 (last), then the piece.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import structlog

from rtc.channels import MAX_BUFFERED, DataChannel
from rtc.errors import ChannelFull, TransportError
from signaling.documents import messages
from signaling.documents.lib0 import Malformed
from signaling.documents.library import Documents
from signaling.documents.session import Access, Session
from signaling.documents.yws import YSession
from signaling.errors import CloseCode, HubbubError
from signaling.ids import validate_name

if TYPE_CHECKING:
    from signaling.tokens import Claims

log = structlog.get_logger("hubbub.documents")
PIECE_BYTES = 16 * 1024
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MORE, LAST = b"\x00", b"\x01"
LABEL_PREFIX = "doc:"
# What one channel leaves waiting in the peer's transport: the other channels of the connection want to send,
# too, and aiortc goes through all that waits at every acknowledgement.
HIGH_WATER = MAX_BUFFERED // 4
# Messages that may wait while one is handled. A data channel cannot be told to stop reading.
MAX_WAITING_BYTES = 2 * MAX_MESSAGE_BYTES


def pieces(message: bytes) -> list[bytes]:
    """What is sent, in order."""
    step = PIECE_BYTES - 1
    cuts = [message[start : start + step] for start in range(0, len(message), step)] or [b""]
    return [*[MORE + cut for cut in cuts[:-1]], LAST + cuts[-1]]


class Assembly:
    """Puts pieces together again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> bytes | None:
        """The message when `piece` is its last. Raises Malformed."""
        if piece[:1] not in (MORE, LAST):
            raise Malformed("a piece begins with 0 (more follows) or 1 (last)")
        self._size += len(piece) - 1
        if self._size > MAX_MESSAGE_BYTES:
            raise Malformed(f"message of more than {MAX_MESSAGE_BYTES} bytes")
        self._parts.append(piece[1:])
        if piece[:1] == MORE:
            return None
        message = b"".join(self._parts)
        self._parts, self._size = [], 0
        return message


class ChannelWire:
    """Sends what the channel takes and keeps the rest in order."""

    door = "channel"

    def __init__(self, channel: DataChannel) -> None:
        self._channel = channel
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._watching: dict[Session, None] = {}
        channel.on_drained = self.flush

    @property
    def backlog(self) -> int:
        return self._size

    def frame(self, message: bytes) -> bytes:
        """A batch joins frames, so that each has its length in front; `put` cuts them apart."""
        return len(message).to_bytes(4, "big") + message

    def put(self, frames: bytes) -> None:
        position = 0
        while position < len(frames):
            end = position + 4 + int.from_bytes(frames[position : position + 4], "big")
            cut = pieces(frames[position + 4 : end])
            self._waiting.extend(cut)
            self._size += sum(map(len, cut))
            position = end
        self.flush()

    def watch(self, session: Session) -> None:
        self._watching[session] = None

    def close(self, code: CloseCode, reason: str) -> None:
        """Data channels have no reasons: it is in the log of the server."""
        log.info("channel_closed", code=int(code), reason=reason)
        self._channel.close()

    def flush(self) -> None:
        while self._waiting and self._channel.open and self._channel.buffered_amount < HIGH_WATER:
            try:
                self._channel.send(self._waiting[0])
            except (ChannelFull, TransportError):
                break
            self._size -= len(self._waiting.popleft())
        if not self._waiting and self._watching:
            watching, self._watching = self._watching, {}
            for session in watching:
                session.drained()


class ChannelDoor:
    """One channel's part in one document. Ends with the channel, and with the participant's token."""

    def __init__(self, documents: Documents, channel: DataChannel, claims: Claims) -> None:
        self._channel = channel
        self._assembly = Assembly()
        self._messages: deque[bytes] = deque()
        self._size = 0
        self._arrived = asyncio.Event()
        self._name = channel.label.removeprefix(LABEL_PREFIX)
        self._wire = ChannelWire(channel)
        self._session = YSession(documents, self._wire, claims.sub)
        channel.on_message = self._heard
        channel.on_close = self._closed
        self._task = asyncio.create_task(self._serve(claims.doc_access(self._name)))

    def _heard(self, data: bytes | str) -> None:
        try:
            if isinstance(data, str):
                raise Malformed("text messages have no meaning here")
            message = self._assembly.add(data)
        except Malformed as error:
            self._wire.close(CloseCode.BAD_MESSAGE, str(error))
            return
        if message is None:
            return
        self._messages.append(message)
        self._size += len(message)
        if self._size > MAX_WAITING_BYTES:
            self._wire.close(CloseCode.RATE_LIMITED, "too much is waiting")
        self._arrived.set()

    async def _serve(self, access: Access | None) -> None:
        try:
            validate_name("document", self._name)
            if access is None:
                self._session.send(messages.permission_denied("no access to this document"))
                return
            await self._session.enter(self._name, access)
            while True:
                await self._arrived.wait()
                while self._messages:
                    message = self._messages.popleft()
                    self._size -= len(message)
                    await self._session.take(messages.parse(message))
                self._arrived.clear()
        except Malformed as error:
            self._wire.close(CloseCode.BAD_MESSAGE, str(error))
        except HubbubError as error:
            self._wire.close(CloseCode.INTERNAL, error.message)

    def _closed(self) -> None:
        self._task.cancel()
        self._session.leave()
