"""The aiohttp application: every module's routes behind the same few middlewares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from signaling.http import health
from signaling.http.endpoints import Endpoint
from signaling.http.failures import failures_as_json

if TYPE_CHECKING:
    from signaling.server import Server

# Bodies that are read whole. Documents and NDJSON streams read theirs piece by piece under their own limits.
MAX_BODY_BYTES = 1024 * 1024
# One line per module: each offers `routes(server) -> list[Endpoint]`.
MODULES = (health,)


def endpoints(server: Server) -> list[Endpoint]:
    return [endpoint for module in MODULES for endpoint in module.routes(server)]


def build_app(server: Server) -> web.Application:
    app = web.Application(middlewares=[failures_as_json], client_max_size=MAX_BODY_BYTES)
    app.add_routes(endpoints(server))
    return app
