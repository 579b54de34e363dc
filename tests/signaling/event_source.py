"""A reader of server-sent events, as the HTML standard (section 9.2.6) has it, over aiohttp."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from signaling.server import Server
from tests.signaling.serving import SECONDS, token


@dataclass
class Event:
    type: str
    text: str
    id: str

    @property
    def data(self) -> Any:
        return json.loads(self.text)


class EventSource:
    """`last_id` is what a browser would send as Last-Event-ID."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.last_id = ""
        self.retry_ms: int | None = None
        self.comments: list[str] = []

    async def next(self) -> Event | None:
        """The next event; None at the end of the response."""
        kind = ""
        data: list[str] = []
        async with asyncio.timeout(SECONDS):
            while line := await self.response.content.readline():
                text = line.decode().rstrip("\n")
                if not text:
                    if data:
                        return Event(kind or "message", "\n".join(data), self.last_id)
                    kind = ""
                    continue
                field, _, value = text.partition(":")
                value = value.removeprefix(" ")
                match field:
                    case "":
                        self.comments.append(value)
                    case "event":
                        kind = value
                    case "data":
                        data.append(value)
                    case "id":
                        self.last_id = value
                    case "retry":
                        self.retry_ms = int(value)
        return None

    async def take(self, count: int) -> list[Event]:
        found: list[Event] = []
        for _ in range(count):
            event = await self.next()
            assert event is not None, f"the stream ended after {len(found)} events"
            found.append(event)
        return found

    async def rest(self) -> list[Event]:
        """Everything up to the end of the response."""
        found: list[Event] = []
        while (event := await self.next()) is not None:
            found.append(event)
        return found


@asynccontextmanager
async def event_source(
    server: Server,
    path: str = "/v1/events",
    *,
    bearer: str | None = None,
    last_id: str | None = None,
    **query: Any,
) -> AsyncIterator[EventSource]:
    """An open stream; asserts 200."""
    headers = {"Authorization": f"Bearer {token() if bearer is None else bearer}"}
    if last_id is not None:
        headers["Last-Event-ID"] = last_id
    params = [(name, item) for name, value in query.items() for item in _several(value)]
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(read_bufsize=2**16, timeout=timeout) as session,
        session.get(server.url + path, params=params, headers=headers) as response,
    ):
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield EventSource(response)


def _several(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
