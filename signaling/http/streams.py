"""Token streams over HTTP (protocol section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import hdrs, web

from signaling.entry import Entry
from signaling.errors import HubbubError, forbidden, too_large
from signaling.eventlog import FROM_EARLIEST
from signaling.eventsource import Blocks, retry, token_block
from signaling.http.authenticate import claims_of
from signaling.http.bodies import json_response, read_json
from signaling.http.endpoints import Endpoint
from signaling.http.event_stream import EventStream, overloaded, retry_ms
from signaling.http.reading import read_log
from signaling.ids import validate_name
from signaling.messages import limit_text, refused
from signaling.streams import (
    DEFAULT_TTL_MS,
    ENDS,
    MAX_PIECE_BYTES,
    MAX_TTL_MS,
    TOPIC_PREFIX,
    Piece,
    TokenStream,
)
from signaling.tokens import Claims
from signaling.uimessages import HEADERS as UI_HEADERS
from signaling.uimessages import UIMessages

if TYPE_CHECKING:
    from signaling.server import Server

AI_SDK = "ai-sdk"
STREAM_ID = "X-Stream-Id"
MAX_FAILURE_BYTES = 1024


class Wish(msgspec.Struct, frozen=True):
    topic: str | None = None
    ttl_ms: int = DEFAULT_TTL_MS

    def __post_init__(self) -> None:
        if not 1 <= self.ttl_ms <= MAX_TTL_MS:
            raise ValueError(f"ttl_ms must be from 1 to {MAX_TTL_MS}, it is {self.ttl_ms}")


class Finish(msgspec.Struct, frozen=True, omit_defaults=True):
    data: Any = msgspec.UNSET


class Failure(msgspec.Struct, frozen=True):
    message: str

    def __post_init__(self) -> None:
        limit_text("message", self.message, MAX_FAILURE_BYTES)


def routes(server: Server) -> list[Endpoint]:
    api = Api(server)
    stream = "/v1/streams/{id}"
    return [
        Endpoint("POST", "/v1/streams", api.create, "Open a token stream", "token", (201,)),
        Endpoint("GET", stream, api.read, "Read a token stream as server-sent events", "token", (200, 204)),
        Endpoint("POST", stream, api.append, "Append JSON, or NDJSON as it arrives", "its maker's token"),
        Endpoint("POST", stream + "/finish", api.finish, "End a token stream", "its maker's token"),
        Endpoint("POST", stream + "/fail", api.fail, "End a token stream with an error", "its maker's token"),
        Endpoint("POST", stream + "/stop", api.stop, "Tell the producer to stop", "token"),
        Endpoint("POST", "/v1/generate/{handler}", api.generate, "Start a handler and read it", "token"),
    ]


class Api:
    """The handlers."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._blocks = Blocks(token_block)

    async def create(self, request: web.Request) -> web.Response:
        claims = claims_of(request, self._server)
        wish = await read_json(request, Wish)
        if wish.topic is not None:
            validate_name("topic", wish.topic)
        stream = await self._server.streams.create(claims, wish.topic, wish.ttl_ms)
        return json_response({"id": stream.id, "url": f"/v1/streams/{stream.id}"}, 201)

    async def append(self, request: web.Request) -> web.Response:
        claims = claims_of(request, self._server)
        stream = await self._server.streams.own(claims, request.match_info["id"])
        if request.content_type == "application/json":
            for piece in await _pieces_of_json(request):
                stream.append(piece)
        else:
            await _until_over(stream, _append_lines(stream, request))
        await stream.flush()
        return json_response({})

    async def finish(self, request: web.Request) -> web.Response:
        claims = claims_of(request, self._server)
        end = msgspec.to_builtins(await read_json(request, Finish))
        await self._server.streams.finish(claims, request.match_info["id"], "done", end)
        return json_response({})

    async def fail(self, request: web.Request) -> web.Response:
        claims = claims_of(request, self._server)
        failure = msgspec.to_builtins(await read_json(request, Failure))
        await self._server.streams.finish(claims, request.match_info["id"], "error", failure)
        return json_response({})

    async def stop(self, request: web.Request) -> web.Response:
        claims = claims_of(request, self._server)
        await self._server.streams.stop(claims, request.match_info["id"])
        return json_response({})

    async def read(self, request: web.Request) -> web.StreamResponse:
        claims = claims_of(request, self._server)
        stream_id = request.match_info["id"]
        for_ai_sdk = _for_ai_sdk(request)
        try:
            head, end = await self._server.streams.find(stream_id)
        except HubbubError as error:
            if for_ai_sdk and error.code == "not_found":
                return web.Response(status=204)
            raise
        if not head.may_read(claims):
            raise forbidden("the token does not allow to read this stream")
        behind = _last_event_id(request)
        if end is not None and behind >= end.offset and not for_ai_sdk:
            # Everything was read. No content is what makes a browser's EventSource stop.
            return web.Response(status=204)
        if request.method == hdrs.METH_HEAD:
            return web.Response(content_type="text/event-stream")
        if self._server.draining:
            return await overloaded(request)
        return await self._stream(request, claims, stream_id, behind, {})

    async def generate(self, request: web.Request) -> web.StreamResponse:
        claims = claims_of(request, self._server)
        topic = request.query.get("topic")
        if topic is not None:
            validate_name("topic", topic)
        body = await read_json(request, object)
        stream = await self._server.generators.start(request.match_info["handler"], claims, body, topic)
        return await self._stream(request, claims, stream.id, 0, {STREAM_ID: stream.id})

    async def _stream(
        self, request: web.Request, claims: Claims, stream_id: str, behind: int, headers: dict[str, str]
    ) -> web.StreamResponse:
        reader = (
            AiSdkReader(stream_id, headers) if _for_ai_sdk(request) else Reader(self._blocks, behind, headers)
        )
        starts = {TOPIC_PREFIX + stream_id: FROM_EARLIEST}
        return await read_log(self._server, request, claims, reader.stream, starts, reader.entry)


class Reader:
    """One reader of a stream, who has seen the pieces up to number `behind`."""

    def __init__(self, blocks: Blocks, behind: int, headers: dict[str, str]) -> None:
        self.stream = EventStream(headers)
        self.stream.outbox.push(retry(retry_ms()))
        self._blocks = blocks
        self._behind = behind

    def entry(self, entry: Entry) -> None:
        if entry.offset > self._behind:
            self.stream.outbox.push(self._blocks.of(entry))
        if entry.type in ENDS:
            self.stream.end()


class AiSdkReader:
    """One reader that wants the AI SDK's format."""

    def __init__(self, stream_id: str, headers: dict[str, str]) -> None:
        self.stream = EventStream({**headers, **UI_HEADERS})
        self._messages = UIMessages(stream_id)

    def entry(self, entry: Entry) -> None:
        self.stream.outbox.push(self._messages.entry(entry))
        if entry.type in ENDS:
            self.stream.end()


def _for_ai_sdk(request: web.Request) -> bool:
    return request.query.get("format") == AI_SDK


def _last_event_id(request: web.Request) -> int:
    """Number of the last piece that was read; what is no number means that none was."""
    text = request.headers.get("Last-Event-ID") or request.query.get("last_event_id") or "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


async def _pieces_of_json(request: web.Request) -> list[Piece]:
    """One JSON object; several lines of them are understood, whatever their name."""
    body = (await request.read()).strip()
    try:
        return [msgspec.json.decode(body, type=Piece)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        if b"\n" not in body:
            raise refused(problem) from problem
    return [_piece(line) for line in body.split(b"\n") if line.strip()]


def _piece(line: bytes) -> Piece:
    try:
        return msgspec.json.decode(line, type=Piece)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise refused(problem) from problem


async def _append_lines(stream: TokenStream, request: web.Request) -> None:
    """Append every line when it has arrived. A producer that goes away in the middle ends the stream."""
    try:
        async for line in _lines(request):
            if line.strip():
                stream.append(_piece(line))
                await stream.pace()
            else:
                stream.heartbeat()
    except (ConnectionError, web.RequestPayloadError):
        stream.end("error", {"message": "the producer went away"})
        raise


async def _lines(request: web.Request) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in request.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > MAX_PIECE_BYTES:
            raise too_large(f"a line may have {MAX_PIECE_BYTES} bytes")
    if rest:
        yield rest


async def _until_over(stream: TokenStream, reading: Any) -> None:
    """Read on until the body ends; a producer that is told to stop hears so in the middle of it."""
    task = asyncio.ensure_future(reading)
    over = asyncio.ensure_future(stream.over.wait())
    try:
        await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise HubbubError("conflict", f"the stream is over ({stream.end_type})")
        task.result()
    finally:
        task.cancel()
        over.cancel()
        await asyncio.wait({task, over})
