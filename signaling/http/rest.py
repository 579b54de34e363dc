"""Rooms over HTTP, for administrators and moderators (protocol section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from signaling import effects
from signaling.errors import CloseCode, bad_request, not_found
from signaling.http.authenticate import claims_of, require_grant
from signaling.http.bodies import json_response, read_json
from signaling.http.endpoints import Endpoint
from signaling.ids import validate_name
from signaling.messages import limit_json, limit_text
from signaling.participant import Participant
from signaling.room import Room
from signaling.tokens import MAX_META_BYTES, unknown_grants

if TYPE_CHECKING:
    from signaling.server import Server

MAX_NAME_BYTES = 256


class Change(msgspec.Struct, frozen=True):
    """Absent fields stay as they are."""

    grants: list[str] | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType | None = msgspec.UNSET
    meta: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        if self.grants is not msgspec.UNSET and (unknown := unknown_grants(self.grants)):
            raise ValueError(f"grants has unknown ones: {', '.join(unknown)}")
        if self.name is not msgspec.UNSET:
            limit_text("name", self.name, MAX_NAME_BYTES)
        if self.meta is not msgspec.UNSET:
            limit_json("meta", self.meta, MAX_META_BYTES)


class MuteWish(msgspec.Struct, frozen=True):
    muted: bool = True


class Revoke(msgspec.Struct, frozen=True):
    sub: str | None = None
    jti: str | None = None


def routes(server: Server) -> list[Endpoint]:
    api = Api(server)
    room = "/v1/rooms/{room}"
    participant = room + "/participants/{id}"
    return [
        Endpoint("GET", "/v1/rooms", api.rooms, "List the rooms that somebody is in", "admin"),
        Endpoint("GET", room, api.room, "Inspect a room: participants, tracks, statistics", "admin"),
        Endpoint("DELETE", room, api.close_room, "Close a room for everybody (4410)", "admin"),
        Endpoint("DELETE", participant, api.kick, "Remove a participant (4403)", "moderate"),
        Endpoint("PATCH", participant, api.change, "Change grants, name or meta at once", "moderate"),
        Endpoint("POST", room + "/tracks/{id}/mute", api.mute, "Stop or resume forwarding", "moderate"),
        Endpoint("GET", "/v1/ice-servers", api.ice_servers, "ICE servers with fresh credentials", "token"),
        Endpoint("POST", "/v1/tokens/revoke", api.revoke, "Refuse an identity or a token", "admin"),
    ]


class Api:
    """The handlers."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def rooms(self, request: web.Request) -> web.Response:
        require_grant(claims_of(request, self._server), "admin")
        rooms = [_brief(room) for room in self._server.hosting.rooms if _open(room)]
        return json_response({"rooms": rooms})

    async def room(self, request: web.Request) -> web.Response:
        require_grant(claims_of(request, self._server), "admin")
        room = self._room(request)
        conference = self._server.hosting.conference(room.name)
        people = [person.view.whole() for person in room.present()]
        stats = {} if conference is None else await conference.stats()
        return json_response({**_brief(room), "participants": people, "stats": stats})

    async def close_room(self, request: web.Request) -> web.Response:
        require_grant(claims_of(request, self._server), "admin")
        room = self._room(request)
        closing = room.close(CloseCode.ROOM_CLOSED, "room_closed", {"type": "room.closed"})
        self._server.hosting.act(room, closing)
        return json_response({})

    async def kick(self, request: web.Request) -> web.Response:
        room, person = self._moderated(request)
        self._server.hosting.act(room, room.remove(person, "kicked", CloseCode.FORBIDDEN, "kicked"))
        return json_response({})

    async def change(self, request: web.Request) -> web.Response:
        room, person = self._moderated(request)
        wish = await read_json(request, Change)
        changed = room.change(
            person,
            grants=person.grants if wish.grants is msgspec.UNSET else frozenset(wish.grants),
            name=person.view.name if wish.name is msgspec.UNSET else wish.name,
            meta=person.view.meta if wish.meta is msgspec.UNSET else wish.meta,
        )
        self._server.hosting.act(room, changed)
        return json_response({"participant": {**person.view.brief(), "grants": sorted(person.grants)}})

    async def mute(self, request: web.Request) -> web.Response:
        require_grant(claims_of(request, self._server), "moderate", request.match_info["room"])
        room = self._room(request)
        wish = await read_json(request, MuteWish)
        self._server.hosting.act(room, [effects.Mute(room.name, request.match_info["id"], wish.muted)])
        return json_response({})

    async def ice_servers(self, request: web.Request) -> web.Response:
        claims = claims_of(request, self._server)
        return json_response({"ice_servers": self._server.ice_servers(claims.sub)})

    async def revoke(self, request: web.Request) -> web.Response:
        require_grant(claims_of(request, self._server), "admin")
        wish = await read_json(request, Revoke)
        if (wish.sub is None) == (wish.jti is None):
            raise bad_request("give either sub or jti")
        if wish.sub is not None:
            await self._server.revoke("sub", validate_name("sub", wish.sub))
        if wish.jti is not None:
            await self._server.revoke("jti", validate_name("jti", wish.jti))
        return json_response({})

    def _room(self, request: web.Request) -> Room:
        room = self._server.hosting.find(request.match_info["room"])
        if room is None or not _open(room):
            raise not_found("nobody is in a room of that name")
        return room

    def _moderated(self, request: web.Request) -> tuple[Room, Participant]:
        require_grant(claims_of(request, self._server), "moderate", request.match_info["room"])
        room = self._room(request)
        person = room.find(request.match_info["id"])
        if person is None or person.leaving:
            raise not_found("no participant of that id is in the room")
        return room, person


def _open(room: Room) -> bool:
    """Not being closed, and somebody is present."""
    return not room.closed and any(room.present())


def _brief(room: Room) -> dict[str, Any]:
    people = list(room.present())
    tracks = sum(len(person.view.tracks) for person in people)
    return {"name": room.name, "participant_count": len(people), "track_count": tracks}
