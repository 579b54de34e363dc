"""A y-websocket client in a few lines of Python, for what the real ones do not let a test see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from pycrdt import Doc, Text

from signaling.documents import messages
from signaling.documents.lib0 import Reader
from signaling.server import Server
from tests.signaling.serving import token

SECONDS = 10.0
WRITE = [{"name": "*", "access": "write"}]
READ = [{"name": "*", "access": "read"}]


def writer(identity: str = "ann", **claims: Any) -> str:
    return token(identity, **{"docs": WRITE, **claims})


def reader(identity: str = "bob", **claims: Any) -> str:
    return token(identity, **{"docs": READ, **claims})


async def eventually(condition: Callable[[], object]) -> None:
    """Let the loop go round until it holds."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await _turn()


async def _turn() -> None:
    await asyncio.sleep(0.001)


class Peer:
    """Keeps a Doc in step with the server. `echoes` counts updates that came, its own included."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, doc: Doc[Any]) -> None:
        self.ws = ws
        self.doc = doc
        self.echoes: list[bytes] = []
        self.denials: list[str] = []
        self.awareness: list[bytes] = []
        self.synced = False

    @property
    def text(self) -> Text:
        text: Text = self.doc.get("text", type=Text)
        return text

    async def write(self, words: str, at: int | None = None) -> bytes:
        """Insert, send, and answer the update."""
        made: list[bytes] = []
        subscription = self.doc.observe(lambda event: made.append(event.update))
        self.text.insert(len(str(self.text).encode()) if at is None else at, words)
        self.doc.unobserve(subscription)
        await self.ws.send_bytes(messages.update(made[0]))
        return made[0]

    async def until(self, condition: Callable[[], object]) -> None:
        """Handle messages until it holds."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                message = await self.ws.receive()
                assert message.type is aiohttp.WSMsgType.BINARY, (message, self.ws.close_code)
                await self.take(message.data)

    async def close_code(self) -> int | None:
        async with asyncio.timeout(SECONDS):
            async for message in self.ws:
                await self.take(message.data)
        return self.ws.close_code

    async def take(self, data: bytes) -> None:
        reader = Reader(data)
        match reader.uint():
            case 0:
                await self._sync(messages.parse_sync(reader))
            case 1:
                self.awareness.append(reader.blob())
            case 2:
                assert reader.uint() == messages.PERMISSION_DENIED
                self.denials.append(reader.string())

    async def _sync(self, message: messages.Message) -> None:
        match message:
            case messages.SyncStep1(state):
                await self.ws.send_bytes(messages.sync_step_2(self.doc.get_update(state)))
            case messages.SyncStep2(update):
                self.doc.apply_update(update)
                self.synced = True
            case messages.Update(update):
                self.doc.apply_update(update)
                self.echoes.append(update)


@asynccontextmanager
async def joined(
    server: Server, name: str = "demo", bearer: str | None = None, doc: Doc[Any] | None = None
) -> AsyncIterator[Peer]:
    """A peer that has sent its step 1."""
    doc = Doc() if doc is None else doc
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(
            f"{server.url}/v1/docs/{name}",
            params={"token": writer() if bearer is None else bearer},
            max_msg_size=0,
        ) as ws,
    ):
        peer = Peer(ws, doc)
        await ws.send_bytes(messages.sync_step_1(doc.get_state()))
        yield peer


@asynccontextmanager
async def synced(server: Server, name: str = "demo", bearer: str | None = None) -> AsyncIterator[Peer]:
    async with joined(server, name, bearer) as peer:
        await peer.until(lambda: peer.synced)
        yield peer
