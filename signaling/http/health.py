"""Liveness and readiness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from signaling.errors import unavailable
from signaling.http.endpoints import Endpoint

if TYPE_CHECKING:
    from signaling.server import Server


def routes(server: Server) -> list[Endpoint]:
    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if not server.ready:
            raise unavailable(
                "the server is draining" if server.draining else "the server is not serving yet"
            )
        return web.Response(text="ready\n")

    return [
        Endpoint("GET", "/healthz", healthz, "Liveness: 200 while the process answers"),
        Endpoint("GET", "/readyz", readyz, "Readiness: 503 while starting or draining"),
    ]
