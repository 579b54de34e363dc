"""Webhooks over REST: how they are doing, and what could not be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from signaling.errors import bad_request, not_found
from signaling.http.authenticate import claims_of, require_grant
from signaling.http.bodies import json_response
from signaling.http.endpoints import Endpoint

if TYPE_CHECKING:
    from signaling.server import Server

MAX_LETTERS = 200


def routes(server: Server) -> list[Endpoint]:
    async def status(request: web.Request) -> web.Response:
        require_grant(claims_of(request, server), "admin")
        return json_response({"webhooks": await server.webhooks.status()})

    async def dead(request: web.Request) -> web.Response:
        require_grant(claims_of(request, server), "admin")
        before = _number(request.query["before"]) if "before" in request.query else None
        letters = await server.webhooks.dead(before, MAX_LETTERS + 1)
        return json_response({"dead_letters": letters[:MAX_LETTERS], "more": len(letters) > MAX_LETTERS})

    async def replay(request: web.Request) -> web.Response:
        require_grant(claims_of(request, server), "admin")
        letter = _number(request.match_info["id"]) if "id" in request.match_info else None
        replayed = await server.webhooks.replay(letter)
        if letter is not None and not replayed:
            raise not_found("no dead letter of that id")
        return json_response({"replayed": replayed})

    letters = "/v1/webhooks/dead-letters"
    return [
        Endpoint("GET", "/v1/webhooks", status, "What each webhook has waiting", "admin"),
        Endpoint("GET", letters, dead, "Events that no attempt could deliver, newest first", "admin"),
        Endpoint("POST", letters + "/replay", replay, "Try all dead letters again", "admin"),
        Endpoint("POST", letters + "/{id}/replay", replay, "Try a dead letter again", "admin"),
    ]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise bad_request("ids of dead letters are numbers")
    return int(text)
