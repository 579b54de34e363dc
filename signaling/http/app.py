"""The aiohttp application: every module's routes behind the same few middlewares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from signaling.http import (
    demo,
    dev,
    documents,
    health,
    hocuspocus,
    openapi,
    rest,
    sse,
    streams,
    topics,
    webhooks,
    websocket,
    whip,
)
from signaling.http.cors import allow_known_origins
from signaling.http.endpoints import Endpoint
from signaling.http.failures import failures_as_json, timed

if TYPE_CHECKING:
    from signaling.server import Server

# Bodies that are read whole. Documents and NDJSON streams read theirs piece by piece under their own limits.
MAX_BODY_BYTES = 1024 * 1024
# Each offers `routes(server) -> list[Endpoint]`. The demo is last: it takes every path that nobody else has.
MODULES = (health, websocket, sse, topics, streams, webhooks, rest, whip, documents, hocuspocus, dev, demo)


def endpoints(server: Server) -> list[Endpoint]:
    """What is routed, and what `/v1/openapi.json` says."""
    listed: list[Endpoint] = openapi.routes_of(lambda: listed)
    listed += [endpoint for module in MODULES for endpoint in module.routes(server)]
    return listed


def build_app(server: Server) -> web.Application:
    app = web.Application(middlewares=[timed(server), failures_as_json], client_max_size=MAX_BODY_BYTES)
    allow_known_origins(app, server)
    app.add_routes(endpoints(server))
    return app
