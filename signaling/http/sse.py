"""`GET /v1/events`: any number of topics as one stream of server-sent events (protocol section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from signaling.cursors import Cursor, cursor_of, tag_of
from signaling.entry import Entry
from signaling.errors import bad_request, forbidden
from signaling.eventlog import FROM_EARLIEST
from signaling.eventsource import KEEPALIVE, Blocks, entry_block, position, told
from signaling.http.authenticate import claims_of
from signaling.http.endpoints import Endpoint
from signaling.http.event_stream import EventStream, overloaded, retry_ms
from signaling.http.reading import read_log
from signaling.ids import validate_name
from signaling.outbox import Frame
from signaling.tokens import Claims

if TYPE_CHECKING:
    from signaling.server import Server

# Topics of one stream. Each costs a look at the log when a reader comes back.
MAX_TOPICS = 100


def routes(server: Server) -> list[Endpoint]:
    blocks = Blocks(lambda entry: entry_block(entry, entry.cursor))

    async def events(request: web.Request) -> web.StreamResponse:
        claims = claims_of(request, server)
        topics = _topics(request, claims)
        start = _start(request)
        if request.method == hdrs.METH_HEAD:
            return web.Response(content_type="text/event-stream")
        if server.draining:
            return await overloaded(request)
        reader = Reader(server, claims, blocks)
        return await reader.hold(request, dict.fromkeys(topics, start))

    return [Endpoint("GET", "/v1/events", events, "Server-sent events of topics", needs="token")]


class Reader:
    """One response from its first block to its end."""

    def __init__(self, server: Server, claims: Claims, blocks: Blocks) -> None:
        self._server = server
        self._claims = claims
        self._blocks = blocks
        self._stream = EventStream()
        self._topic = ""
        self._positions: dict[bytes, int] = {}
        """What was passed so far, as seqs by the epoch of the store."""
        self._told: dict[bytes, int] = {}
        """What the reader knows of that by its newest `id:`."""

    async def hold(self, request: web.Request, starts: Mapping[str, str | None]) -> web.StreamResponse:
        """Write until either side ends it."""
        self._topic = next(iter(starts))
        self._stream.keepalive = self._keepalive
        return await read_log(
            self._server,
            request,
            self._claims,
            self._stream,
            starts,
            self._entry,
            on_open=self._opened,
            on_gap=self._gap,
        )

    def _opened(self, recovered: Mapping[str, bool], positions: Mapping[bytes, int]) -> None:
        self._positions = dict(positions)
        self._push(told("open", {"recovered": dict(recovered)}, self._cursor(), retry_ms()))

    def _gap(self, topic: str) -> None:
        self._push(told("gap", {"topic": topic}, self._cursor()))

    def _entry(self, entry: Entry) -> None:
        self._positions[entry.epoch] = entry.seq
        if not entry.seen_by(self._claims.sub):
            return
        self._push(
            self._blocks.of(entry) if len(self._positions) == 1 else entry_block(entry, self._cursor())
        )

    def _keepalive(self) -> Frame:
        """A comment; with the position when entries were passed that this reader must not see."""
        if self._told == self._positions:
            return KEEPALIVE
        self._told = dict(self._positions)
        return position(self._cursor())

    def _push(self, frame: Frame) -> None:
        self._told.update(self._positions)
        self._stream.outbox.push(frame)

    def _cursor(self) -> str:
        if len(self._positions) == 1:
            ((epoch, seq),) = self._positions.items()
            return cursor_of(self._topic, epoch, seq)
        return str(Cursor(tag_of(self._topic), self._positions))


def _topics(request: web.Request, claims: Claims) -> list[str]:
    topics = list(dict.fromkeys(request.query.getall("topic", [])))
    if not topics:
        raise bad_request("topic is missing: name at least one")
    if len(topics) > MAX_TOPICS:
        raise bad_request(f"topic may be given {MAX_TOPICS} times, it is given {len(topics)} times")
    for topic in topics:
        if claims.topic_access(validate_name("topic", topic)) is None:
            raise forbidden(f"the token does not allow to read topic {topic}")
    return topics


def _start(request: web.Request) -> str | None:
    """A browser that connects again sends the header, and the page's query again: the header is newer."""
    if since := request.headers.get("Last-Event-ID") or request.query.get("last_event_id"):
        return since if since != FROM_EARLIEST else ""
    since = request.query.get("since")
    if since not in (None, FROM_EARLIEST):
        raise bad_request(f"since may only be {FROM_EARLIEST}; cursors go into last_event_id")
    return since
