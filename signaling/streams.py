"""Token streams: text that is produced piece by piece, read by anybody any number of times.

A stream is a topic of the log, `stream:<id>`. Its entries: `open` (offset 0: who made it, who may read it),
`token` (offsets from 1), and one end: `done`, `error` or `stopped`. A mark in the log says that it has not
ended, so a stream whose server was killed ends with an error at the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from signaling.entry import Entry, Mark
from signaling.errors import HubbubError, conflict, forbidden, not_found, rate_limited, too_large
from signaling.eventlog import EventLog
from signaling.ids import new_id
from signaling.pieces import WINDOW_SECONDS, Pieces
from signaling.tokens import Claims

log = structlog.get_logger("hubbub.streams")
TOPIC_PREFIX = "stream:"
ENDS = frozenset({"done", "error", "stopped"})
# Seconds without a piece after which a producer is taken for dead (protocol section 5).
LEASE_SECONDS = 30.0
# How long an ended stream can be read: an hour unless its maker wants otherwise, at most a day.
DEFAULT_TTL_MS = 3600 * 1000
MAX_TTL_MS = 24 * 3600 * 1000
# Bytes of one piece, and of a whole stream: what one reader may have to be sent again.
MAX_PIECE_BYTES = 64 * 1024
MAX_STREAM_BYTES = 16 * 1024 * 1024
# Pieces that may be on their way to storage until their producer has to wait.
MAX_BEHIND = 32
# Streams that one identity may have open at the same time.
MAX_OPEN = 100


class Piece(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a producer appends: text, or any JSON."""

    text: str | msgspec.UnsetType = msgspec.UNSET
    data: Any = msgspec.UNSET

    def __post_init__(self) -> None:
        if (self.text is msgspec.UNSET) == (self.data is msgspec.UNSET):
            raise ValueError("a piece has either text or data")


class Head(msgspec.Struct, frozen=True):
    """The entry `open`."""

    owner: str
    topic: str | None
    ttl_ms: int

    def may_read(self, claims: Claims) -> bool:
        return claims.sub == self.owner or (
            self.topic is not None and claims.topic_access(self.topic) is not None
        )


class TokenStream:
    """A stream that is being produced on this server."""

    def __init__(
        self, log: EventLog, stream_id: str, head: Head, on_end: Callable[[TokenStream], None]
    ) -> None:
        self.id = stream_id
        self.head = head
        self.end_type: str | None = None
        """What it ended with, from the moment when that was decided."""
        self.over = asyncio.Event()
        self._log = log
        self._on_end = on_end
        self._pieces = Pieces()
        self._size = 0
        self._writes: set[asyncio.Task[Entry]] = set()
        self._failure: HubbubError | None = None
        self._loop = asyncio.get_running_loop()
        self._window: asyncio.TimerHandle | None = None
        self._lease = self._loop.call_later(LEASE_SECONDS, self._lapse)
        self._heard_at = self._loop.time()

    def append(self, piece: Piece) -> None:
        """Take a piece; `flush` waits until it is stored. Raises HubbubError conflict when the stream is over."""
        if self.end_type is not None:
            raise conflict(f"the stream is over ({self.end_type})")
        if self._failure is not None:
            raise self._failure
        self._heard_at = self._loop.time()
        self._measure(piece)
        if piece.text is msgspec.UNSET:
            self._store_waiting()
            self._store("token", {"data": piece.data})
        elif piece.text and (now := self._pieces.add(piece.text)) is not None:
            self._store("token", {"text": now})
            self._window = self._loop.call_later(WINDOW_SECONDS, self._close_window)

    def heartbeat(self) -> None:
        """The producer is there although it has nothing to say."""
        self._heard_at = self._loop.time()

    async def pace(self) -> None:
        """For producers without a pause: wait when storage is behind. Raises HubbubError unavailable."""
        if len(self._writes) > MAX_BEHIND:
            await self.flush()

    async def flush(self) -> None:
        """Wait until everything appended so far is stored. Raises HubbubError unavailable."""
        self._store_waiting()
        if self._writes:
            await asyncio.wait(set(self._writes))
        if self._failure is not None:
            raise self._failure

    async def finish(self, kind: str, data: dict[str, Any]) -> None:
        """End the stream. The same end again changes nothing; another one is refused (conflict)."""
        if self.end_type not in (None, kind):
            raise conflict(f"the stream is over ({self.end_type})")
        self.end(kind, data)
        await self.flush()

    def end(self, kind: str, data: dict[str, Any]) -> None:
        """End the stream, if nothing has yet."""
        if self.end_type is not None:
            return
        self._store_waiting()
        self.end_type = kind
        self._lease.cancel()
        if self._window is not None:
            self._window.cancel()
        self._store(kind, data, Mark(self.id, open=False))
        self.over.set()
        self._on_end(self)

    def _measure(self, piece: Piece) -> None:
        size = len(msgspec.json.encode(piece))
        if size > MAX_PIECE_BYTES:
            raise too_large(f"a piece may have {MAX_PIECE_BYTES} bytes of JSON, this one has {size}")
        if self._size + size > MAX_STREAM_BYTES:
            raise too_large(f"a stream may have {MAX_STREAM_BYTES} bytes")
        self._size += size

    def _store(self, kind: str, data: dict[str, Any], mark: Mark | None = None) -> None:
        """Tasks start in the order of their making, which is the order of the log."""
        writing = self._log.append(TOPIC_PREFIX + self.id, kind, data, mark=mark)
        task = asyncio.create_task(writing)
        self._writes.add(task)
        task.add_done_callback(self._stored)

    def _stored(self, task: asyncio.Task[Entry]) -> None:
        self._writes.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure is None or self._failure is not None:
            return
        # A piece is missing: nothing may follow it as if it were there.
        self._failure = failure if isinstance(failure, HubbubError) else HubbubError("internal", "not stored")
        log.error("piece_not_stored", error=str(failure))

    def _store_waiting(self) -> None:
        if text := self._pieces.take():
            self._store("token", {"text": text})

    def _close_window(self) -> None:
        if text := self._pieces.close():
            self._store("token", {"text": text})
            self._window = self._loop.call_later(WINDOW_SECONDS, self._close_window)

    def _lapse(self) -> None:
        left = self._heard_at + LEASE_SECONDS - self._loop.time()
        if left > 0:
            self._lease = self._loop.call_later(left, self._lapse)
        else:
            self.end("error", {"message": f"the producer was silent for {LEASE_SECONDS:.0f} s"})


class Streams:
    """All streams: those being produced here, and those that the log still has."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._open: dict[str, TokenStream] = {}

    async def start(self) -> None:
        """End what an earlier run of the server left open."""
        for topic, stream_id in await self._log.marks():
            if topic == TOPIC_PREFIX + stream_id:
                lost = {"message": "the server was restarted"}
                await self._log.append(topic, "error", lost, mark=Mark(stream_id, open=False))

    async def close(self) -> None:
        """End what is open, and wait until that is stored."""
        streams = list(self._open.values())
        for stream in streams:
            stream.end("error", {"message": "the server is going down"})
        for stream in streams:
            await stream.flush()

    async def create(self, claims: Claims, topic: str | None, ttl_ms: int = DEFAULT_TTL_MS) -> TokenStream:
        """A new stream of that identity. Raises HubbubError forbidden, rate_limited."""
        if topic is not None and claims.topic_access(topic) is None:
            raise forbidden(f"the token does not allow to read topic {topic}")
        if sum(stream.head.owner == claims.sub for stream in self._open.values()) >= MAX_OPEN:
            raise rate_limited(f"an identity may have {MAX_OPEN} streams open", retry_after_ms=1_000)
        stream = TokenStream(self._log, new_id("s"), Head(claims.sub, topic, ttl_ms), self._ended)
        self._open[stream.id] = stream
        try:
            opened = Mark(stream.id, open=True)
            await self._log.append(TOPIC_PREFIX + stream.id, "open", stream.head, mark=opened)
        except HubbubError:
            stream.end("error", {"message": "the stream could not be stored"})
            raise
        return stream

    async def own(self, claims: Claims, stream_id: str) -> TokenStream:
        """The caller's stream, to write to. Raises HubbubError not_found, forbidden; conflict when it is over."""
        head, end = await self.find(stream_id)
        if head.owner != claims.sub:
            raise forbidden("only the identity that made the stream may write to it")
        return self._still_open(stream_id, end)

    async def finish(self, claims: Claims, stream_id: str, kind: str, data: dict[str, Any]) -> None:
        """The owner's end of a stream; asking for the same end again is answered alike."""
        head, end = await self.find(stream_id)
        if head.owner != claims.sub:
            raise forbidden("only the identity that made the stream may end it")
        if end is None or end.type != kind:
            await self._still_open(stream_id, end).finish(kind, data)

    async def stop(self, claims: Claims, stream_id: str) -> None:
        """End a stream from outside: whoever may read it may tell its producer to stop."""
        head, end = await self.find(stream_id)
        if not head.may_read(claims):
            raise forbidden("the token does not allow to read this stream")
        if end is None or end.type != "stopped":
            await self._still_open(stream_id, end).finish("stopped", {})

    def _still_open(self, stream_id: str, end: Entry | None) -> TokenStream:
        stream = self._open.get(stream_id)
        if stream is None:
            raise conflict(f"the stream is over ({end.type if end is not None else 'ending'})")
        return stream

    async def find(self, stream_id: str) -> tuple[Head, Entry | None]:
        """Head and end (None while it is open) of a stream that can be read. Raises HubbubError not_found."""
        if (stream := self._open.get(stream_id)) is not None:
            return stream.head, None
        topic = TOPIC_PREFIX + stream_id
        opened, _ = await self._log.history(topic, 1, 1, frozenset({"open"}))
        ends, _ = await self._log.history(topic, None, 1, ENDS)
        if not opened:
            raise not_found("no stream of that id")
        head = msgspec.json.decode(opened[0].data, type=Head)
        if ends and ends[0].at_ms + head.ttl_ms < self._log.now_ms():
            raise not_found("the stream has ended and is not kept any more")
        return head, ends[0] if ends else None

    def _ended(self, stream: TokenStream) -> None:
        self._open.pop(stream.id, None)
