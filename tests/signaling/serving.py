"""A real server on loopback inside the test's loop, and clients that speak the protocol to it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt
from pydantic import SecretStr

from signaling.config import Settings
from signaling.server import Server

KEY_ID = "test"
SECRET = "a secret of the tests that is long enough for HS256"
GRANTS = ["publish", "subscribe", "chat"]
SECONDS = 10.0


def token(identity: str = "ann", *, kid: str = KEY_ID, secret: str = SECRET, **claims: Any) -> str:
    """A token for room `demo` for an hour; a claim of None is left out."""
    body = {"sub": identity, "room": "demo", "exp": int(time.time()) + 3600, "grants": GRANTS, **claims}
    kept = {claim: value for claim, value in body.items() if value is not None}
    return jwt.encode(kept, secret, algorithm="HS256", headers={"kid": kid})


@asynccontextmanager
async def serving(data_dir: Path, **settings: Any) -> AsyncIterator[Server]:
    server = Server(
        Settings(
            host="127.0.0.1",
            port=0,
            data_dir=data_dir,
            api_keys=SecretStr(f"{KEY_ID}:{SECRET}"),
            **{"media": False, **settings},
        )
    )
    await server.start()
    try:
        yield server
    finally:
        await server.close()


class Client:
    """One room WebSocket. Events that arrive while a reply is awaited are kept in `events`."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.events: list[dict[str, Any]] = []
        self._ids = iter(range(1, 1_000_000))

    async def request(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The reply, whatever it says."""
        number = next(self._ids)
        await self.ws.send_str(json.dumps({"id": number, "type": kind, **fields}))
        while True:
            message = await self.receive()
            if "re" not in message:
                self.events.append(message)
                continue
            assert message["re"] == number
            return message

    async def join(self, room: str = "demo", **fields: Any) -> dict[str, Any]:
        reply = await self.request("join", room=room, **fields)
        assert "error" not in reply, reply
        return reply

    async def event(self, kind: str) -> dict[str, Any]:
        """The next event of that type; others are skipped."""
        while True:
            message = self.events.pop(0) if self.events else await self.receive()
            if message.get("type") == kind:
                return message

    async def receive(self) -> dict[str, Any]:
        message = await self.ws.receive(timeout=SECONDS)
        assert message.type is aiohttp.WSMsgType.TEXT, (message, self.ws.close_code)
        decoded: dict[str, Any] = json.loads(message.data)
        return decoded

    async def close_code(self) -> int | None:
        """What the server closes with; messages until then are kept as events."""
        async with asyncio.timeout(SECONDS):
            async for message in self.ws:
                self.events.append(json.loads(message.data))
        return self.ws.close_code

    async def vanish(self) -> None:
        """Lose the connection without a word."""
        response = self.ws._response
        assert response.connection is not None
        assert response.connection.transport is not None
        response.connection.transport.abort()


@asynccontextmanager
async def connected(server: Server, bearer: str | None = None, **options: Any) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as http:
        bearer = token() if bearer is None else bearer
        url = f"{server.url}/v1/ws"
        async with http.ws_connect(url, params={"token": bearer}, **options) as ws:
            yield Client(ws)


async def http(
    server: Server, method: str, path: str, bearer: str | None = None, **options: Any
) -> tuple[int, Any, Mapping[str, str]]:
    """Status, decoded body (JSON or text) and headers."""
    headers = {
        **({} if bearer is None else {"Authorization": f"Bearer {bearer}"}),
        **options.pop("headers", {}),
    }
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, server.url + path, headers=headers, **options) as answer,
    ):
        text = await answer.text()
        body = json.loads(text) if text and answer.content_type == "application/json" else text
        return answer.status, body, answer.headers
