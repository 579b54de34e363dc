"""What every response that reads the log has in common, from its head to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from signaling.errors import HubbubError
from signaling.follower import OnEntry, OnGap, OnOpen
from signaling.http.event_stream import EventStream, StreamEnded
from signaling.tokens import Claims

if TYPE_CHECKING:
    from signaling.server import Server


async def read_log(
    server: Server,
    request: web.Request,
    claims: Claims,
    stream: EventStream,
    starts: Mapping[str, str | None],
    on_entry: OnEntry,
    on_open: OnOpen | None = None,
    on_gap: OnGap | None = None,
) -> web.StreamResponse:
    """Follow topics into a stream until the reader goes, the stream is ended, or its token is no good any more."""
    connection = server.connections.register(claims, stream.end)
    try:
        await stream.open(request)
        follower = await server.log.follow(
            starts, on_entry, on_open=on_open, on_gap=on_gap, ready=stream.drained
        )
        try:
            await stream.ended()
        finally:
            follower.close()
    except HubbubError:
        # Storage fails, but the head said 200: the reader comes back after its `retry:`.
        stream.end()
        await stream.ended()
    except StreamEnded:
        # In the middle of old entries, of which the last may have been the end: they are still written.
        await stream.ended()
    except ConnectionError:
        pass
    finally:
        connection.unregister()
    return stream.finish()
