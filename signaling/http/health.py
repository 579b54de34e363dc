"""Liveness, readiness, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import hdrs, web

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

    async def metrics(_: web.Request) -> web.Response:
        # aiohttp wants the charset apart from the type; `version` names the text format.
        headers = {hdrs.CONTENT_TYPE: "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=server.metrics.exposition(), headers=headers)

    return [
        Endpoint("GET", "/healthz", healthz, "Liveness: 200 while the process answers"),
        Endpoint("GET", "/metrics", metrics, "Counters in Prometheus' text format"),
        Endpoint("GET", "/readyz", readyz, "Readiness: 503 while starting or draining"),
    ]
