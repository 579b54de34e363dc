"""Token streams from Python: async generators that are registered by name and started over HTTP.

    @server.generators.handler("story")
    async def story(generation: Generation) -> AsyncIterator[str]:
        async for token in model(generation.body["prompt"]):
            yield token

What is yielded is a piece: a text, or a mapping that is sent as data. The stream goes on when its first
reader is lost; it ends when the generator does, and the generator is cancelled when somebody stops it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

import msgspec
import structlog

from signaling.errors import HubbubError, forbidden, not_found
from signaling.streams import Piece, Streams, TokenStream
from signaling.tokens import Claims

log = structlog.get_logger("hubbub.generators")


class Generation(msgspec.Struct, frozen=True):
    """What a handler is started with. `body` is the JSON that was posted."""

    body: Any
    claims: Claims
    stream_id: str


Handler = Callable[[Generation], AsyncIterator["str | Mapping[str, Any]"]]


class Generators:
    """The registered handlers, and those that are running."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._handlers: dict[str, tuple[Handler, str | None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def register(self, name: str, handler: Handler, *, grant: str | None = None) -> None:
        """Offer a handler as `POST /v1/generate/<name>`, to whoever has `grant`; to every token without one."""
        self._handlers[name] = (handler, grant)

    def handler(self, name: str, *, grant: str | None = None) -> Callable[[Handler], Handler]:
        """`register` as a decorator."""

        def registered(handler: Handler) -> Handler:
            self.register(name, handler, grant=grant)
            return handler

        return registered

    def load(self, modules: Iterable[str]) -> None:
        """Let each module's `register(generators)` offer its handlers. Raises ImportError, AttributeError."""
        for module in modules:
            import_module(module).register(self)

    async def start(self, name: str, claims: Claims, body: Any, topic: str | None) -> TokenStream:
        """Run a handler into a new stream. Raises HubbubError not_found, forbidden and those of `create`."""
        handler, grant = self._handlers.get(name, (None, None))
        if handler is None:
            raise not_found("no handler of that name is registered")
        if grant is not None and not claims.may(grant):
            raise forbidden(f"this needs the grant {grant}")
        stream = await self._streams.create(claims, topic)
        pieces = handler(Generation(body, claims, stream.id))
        task = asyncio.create_task(self._run(stream, pieces))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return stream

    async def close(self) -> None:
        """Cancel what is running; the streams were ended before."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _run(self, stream: TokenStream, pieces: AsyncIterator[str | Mapping[str, Any]]) -> None:
        producing = asyncio.create_task(_produce(stream, pieces))
        over = asyncio.create_task(stream.over.wait())
        try:
            await asyncio.wait({producing, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (producing, over):
                task.cancel()
            await asyncio.wait({producing, over})


async def _produce(stream: TokenStream, pieces: AsyncIterator[str | Mapping[str, Any]]) -> None:
    try:
        async for piece in pieces:
            stream.append(Piece(text=piece) if isinstance(piece, str) else Piece(data=piece))
            await stream.pace()
        with suppress(HubbubError):
            await stream.finish("done", {})
    except HubbubError as error:
        stream.end("error", {"message": error.message})
    except Exception:
        # The border to the application's code: its readers are told, its developer finds the traceback.
        log.exception("generator_failed")
        stream.end("error", {"message": "the generator failed"})
    finally:
        if (close := getattr(pieces, "aclose", None)) is not None:
            await close()
