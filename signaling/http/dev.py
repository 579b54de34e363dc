"""`POST /dev/token`, for `hubbub serve --dev` only: anybody who reaches the server may be anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from signaling.errors import bad_request
from signaling.http.bodies import json_response, read_json
from signaling.http.endpoints import Endpoint
from signaling.ids import validate_name
from signaling.tokens import unknown_grants

if TYPE_CHECKING:
    from signaling.server import Server

LIFETIME_SECONDS = 24 * 3600
EVERYDAY_GRANTS = ("publish", "subscribe", "chat", "docs:read", "docs:write", "record")


class TokenWish(msgspec.Struct, frozen=True):
    identity: str
    room: str
    name: str | None = None
    grants: list[str] | None = None
    meta: dict[str, Any] | None = None
    docs: list[dict[str, str]] | None = None
    topics: list[dict[str, str]] | None = None


def routes(server: Server) -> list[Endpoint]:
    async def dev_token(request: web.Request) -> web.Response:
        wish = await read_json(request, TokenWish)
        claims = _claims(wish, server.clock())
        url = f"ws://{request.host}/v1/ws"
        return json_response({"token": server.keyring.mint(claims), "url": url})

    if not server.settings.dev:
        return []
    return [Endpoint("POST", "/dev/token", dev_token, "A token for whoever asks (development only)")]


def _claims(wish: TokenWish, now: float) -> dict[str, Any]:
    grants = list(EVERYDAY_GRANTS) if wish.grants is None else wish.grants
    if unknown := unknown_grants(grants):
        raise bad_request(f"grants has unknown ones: {', '.join(unknown)}")
    claims: dict[str, Any] = {
        "sub": validate_name("identity", wish.identity, slash=False),
        "room": validate_name("room", wish.room, slash=False),
        "grants": grants,
        "iat": int(now),
        "exp": int(now) + LIFETIME_SECONDS,
    }
    optional = {"name": wish.name, "meta": wish.meta, "docs": wish.docs, "topics": wish.topics}
    return {**claims, **{claim: value for claim, value in optional.items() if value is not None}}
