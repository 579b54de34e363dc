"""Who is asking: tokens and origins of HTTP requests (protocol section 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from signaling.errors import forbidden, unauthorized
from signaling.tokens import Claims

if TYPE_CHECKING:
    from signaling.server import Server

SUBPROTOCOL = "hubbub.v1"
BEARER_PREFIX = "bearer."
COOKIE = "hubbub_token"
DEFAULT_PORTS = {"http": 80, "https": 443}


def claims_of(request: web.Request, server: Server) -> Claims:
    """The verified claims of the request's token. Raises HubbubError unauthorized."""
    token = token_of(request, server)
    if token is None:
        raise unauthorized("a token is required: Authorization: Bearer, ?token= or a WebSocket subprotocol")
    return server.verify(token)


def token_of(request: web.Request, server: Server) -> str | None:
    """Header, query, subprotocol, cookie: the first that is there."""
    scheme, _, credentials = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    if token := request.query.get("token"):
        return token
    for protocol in offered_subprotocols(request):
        if protocol.startswith(BEARER_PREFIX):
            return protocol.removeprefix(BEARER_PREFIX)
    # A page of another origin can make a browser send this cookie, so the request must name a known one.
    if hdrs.ORIGIN in request.headers and origin_trusted(request, server):
        return request.cookies.get(COOKIE)
    return None


def offered_subprotocols(request: web.Request) -> list[str]:
    offered = request.headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, [])
    return [protocol.strip() for line in offered for protocol in line.split(",")]


def require_known_origin(request: web.Request, server: Server) -> None:
    """Refuse browsers on foreign pages (403). Clients that send no Origin are no browsers."""
    if hdrs.ORIGIN in request.headers and not origin_allowed(request, server):
        raise forbidden("this origin is not on the server's allow-list (HUBBUB_ALLOWED_ORIGINS)")


def origin_allowed(request: web.Request, server: Server) -> bool:
    """Whether the Origin header names the server itself or is on the allow-list."""
    return "*" in server.settings.allowed_origins or origin_trusted(request, server)


def origin_trusted(request: web.Request, server: Server) -> bool:
    """The same without `*`, which lets pages in that bring a token, but trusts none of them with a cookie."""
    origin = request.headers.get(hdrs.ORIGIN, "").rstrip("/").lower()
    listed = origin in server.settings.allowed_origins and origin != "*"
    return listed or _is_own(origin, request.headers.get(hdrs.HOST, ""))


def _is_own(origin: str, host: str) -> bool:
    """Compare host and port only: behind a proxy that ends TLS our own scheme is not the browser's."""
    try:
        parts = urlsplit(origin)
        port = parts.port
        ours = urlsplit(f"//{host.lower()}")
        our_port = ours.port
    except ValueError:
        return False
    default = DEFAULT_PORTS.get(parts.scheme)
    if default is None or not parts.hostname:
        return False
    return parts.hostname == ours.hostname and (port or default) == (our_port or default)


def require_grant(claims: Claims, grant: str, room: str | None = None) -> None:
    """Raises HubbubError forbidden. With `room` the grant has to hold in that room."""
    allowed = claims.may(grant) if room is None else claims.may_in(grant, room)
    if not allowed:
        raise forbidden(f"this needs the grant {grant}" + ("" if room is None else " in this room"))
