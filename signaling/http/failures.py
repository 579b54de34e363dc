"""Every failure of a request as the JSON of protocol section 2."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
import structlog
from aiohttp import hdrs, web

from signaling.errors import STATUS, HubbubError
from signaling.http.endpoints import Handler

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from signaling.server import Server

log = structlog.get_logger("hubbub.http")
CODES = {status: code for code, status in STATUS.items() if code != "room_full"}


def failure(error: HubbubError) -> web.Response:
    """The response that tells of `error`."""
    headers = {}
    if error.retry_after_ms is not None:
        headers[hdrs.RETRY_AFTER] = str(-(-error.retry_after_ms // 1000))
    if error.status == STATUS["unauthorized"]:
        headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    body = msgspec.json.encode({"error": error.to_wire()})
    return web.Response(status=error.status, body=body, content_type="application/json", headers=headers)


@web.middleware
async def failures_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost middleware: nothing leaves as aiohttp's own text page."""
    try:
        return await handler(request)
    except HubbubError as error:
        return failure(error)
    except web.HTTPException as refusal:
        if refusal.status < 400:
            raise
        return _of_aiohttp(refusal)
    except ConnectionError:
        # The client went away while it was answered: nobody is left to be told.
        raise
    except Exception:
        # The border of the process: a bug of ours must cost its request, not the connection without a word.
        log.exception("request_failed", method=request.method, route=route_of(request))
        return failure(HubbubError("internal", "the server failed to answer this request"))


def timed(server: Server) -> Middleware:
    """Measure what every route takes until its handler is done; WebSockets only until they are accepted."""

    @web.middleware
    async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        response = await handler(request)
        if response.status != HTTPStatus.SWITCHING_PROTOCOLS:
            labels = (request.method, route_of(request), response.status)
            server.metrics.http.labels(*labels).observe(time.perf_counter() - started)
        return response

    return measure


def _of_aiohttp(refusal: web.HTTPException) -> web.Response:
    """aiohttp's own refusals (no such route, method or size) keep their status and headers such as Allow."""
    code = CODES.get(refusal.status, "bad_request" if refusal.status < 500 else "internal")
    response = failure(HubbubError(code, refusal.reason or code))
    response.set_status(refusal.status)
    if allow := refusal.headers.get(hdrs.ALLOW):
        response.headers[hdrs.ALLOW] = allow
    return response


def route_of(request: web.Request) -> str:
    """The pattern, not the path: names of rooms and people do not belong into logs."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""
