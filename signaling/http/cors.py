"""Cross-origin requests from pages of the allow-list (HUBBUB_ALLOWED_ORIGINS).

WHIP and WHEP have their own headers, open to every page: they look at no cookie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from signaling.http.authenticate import origin_allowed, origin_trusted
from signaling.http.endpoints import Handler

if TYPE_CHECKING:
    from signaling.server import Server

METHODS = "GET, POST, PATCH, DELETE, OPTIONS"
HEADERS = "Authorization, Content-Type, Last-Event-ID, If-Match, If-None-Match"
EXPOSED = "ETag, Location, Retry-After, X-Stream-Id"
# Seconds that a browser may remember a preflight's answer.
MAX_AGE = "600"


def allow_known_origins(app: web.Application, server: Server) -> None:
    """Answer preflights and mark responses, streamed ones too."""

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        if hdrs.ORIGIN not in request.headers or hdrs.ACCESS_CONTROL_ALLOW_ORIGIN in response.headers:
            return
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if not origin_allowed(request, server):
            return
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = request.headers[hdrs.ORIGIN]
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED
        if origin_trusted(request, server):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"

    @web.middleware
    async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        asks = request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        if not asks or request.match_info.http_exception is None:
            return await handler(request)
        response = web.Response(status=204)
        if origin_allowed(request, server):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = METHODS
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = HEADERS
            response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = MAX_AGE
        return response

    app.on_response_prepare.append(mark)
    app.middlewares.append(preflight)
