"""WHIP (RFC 9725) and WHEP: one HTTP request in, one participant in the room.

A WHIP source publishes, a WHEP viewer has its recvonly sections as slots; both are ordinary participants that
live as long as their media connection. The URL of the session is only for the identity that made it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from aiohttp import hdrs, web

from signaling import effects, sdpfrag
from signaling.effects import Offer, Steps
from signaling.errors import CloseCode, HubbubError, forbidden, not_found
from signaling.hosting import refusals
from signaling.http.authenticate import claims_of, require_grant
from signaling.http.endpoints import Endpoint
from signaling.http.failures import failure
from signaling.ids import new_id, validate_name
from signaling.participant import Participant
from signaling.room import Room
from signaling.sdpfrag import Credentials
from signaling.tokens import Claims

if TYPE_CHECKING:
    from signaling.server import Server

SDP = "application/sdp"
# RFC 9725 section 4.1: any page may publish and watch that has a token; cookies are not looked at.
CORS: dict[str, str] = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: "Location, ETag, Link, Accept-Post, Accept-Patch",
}
PREFLIGHT: dict[str, str] = {
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "POST, PATCH, DELETE, OPTIONS",
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, If-Match, Accept",
    hdrs.ACCESS_CONTROL_MAX_AGE: "86400",
}
ACCEPT_POST, ACCEPT_PATCH = "Accept-Post", "Accept-Patch"
GRANTS = {"whip": "publish", "whep": "subscribe"}


Handler = Callable[[web.Request], Awaitable[web.Response]]


class Refused(Exception):
    """A status of RFC 9725 that the codes of protocol section 2 do not have."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = HubbubError(code, message)
        self.headers = headers or {}


class WhipSession:
    """A session that was made. `etag` names its ICE session: it changes with every restart."""

    def __init__(self, room: Room, participant: Participant, ice: Credentials | None) -> None:
        self.id = new_id("s")
        self.room = room
        self.participant = participant
        self.ice = ice
        self.etag = _new_etag()


def routes(server: Server) -> list[Endpoint]:
    whip = Doors(server)
    found = []
    for door, summary in (("whip", "Publish by WHIP (RFC 9725)"), ("whep", "Watch by WHEP")):
        base, session, needs = f"/v1/{door}/{{room}}", f"/v1/{door}/{{room}}/{{session}}", GRANTS[door]
        create = _guarded(partial(whip.create, door))
        found += [
            Endpoint("POST", base, create, summary, needs, (201,)),
            Endpoint("OPTIONS", base, _options(ACCEPT_POST, SDP), f"What {door.upper()} accepts"),
            Endpoint("PATCH", session, _guarded(whip.patch), "Trickle ICE, ICE restart", needs, (204, 200)),
            Endpoint("DELETE", session, _guarded(whip.delete), "End the session", needs),
            Endpoint(
                "OPTIONS", session, _options(ACCEPT_PATCH, sdpfrag.MEDIA_TYPE), "What a session accepts"
            ),
        ]
    return found


class Doors:
    """The handlers of both protocols, and the sessions that they made."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sessions: dict[str, WhipSession] = {}

    async def create(self, door: str, request: web.Request) -> web.Response:
        name = validate_name("room", request.match_info["room"], slash=False)
        claims = self._permitted(request, door, name)
        _require_type(request, SDP, ACCEPT_POST)
        offer = (await request.read()).decode(errors="replace")
        if door == "whip" and len(sdpfrag.streams_of(offer)) > 1:
            raise Refused(406, "bad_request", "a WHIP offer may have the tracks of one MediaStream only")
        watched = request.query.get("participant") if door == "whep" else None
        session, answer = await self._server.hosting.run(_enter(name, claims, door, offer, watched))
        self._keep(session, claims)
        headers = {hdrs.LOCATION: f"/v1/{door}/{quote(name, safe='')}/{session.id}", hdrs.ETAG: session.etag}
        response = web.Response(status=201, body=answer.encode(), content_type=SDP, headers=headers)
        for link in ice_links(self._server.ice_servers(claims.sub)):
            response.headers.add(hdrs.LINK, link)
        return response

    async def patch(self, request: web.Request) -> web.Response:
        session = self._own(request)
        _require_type(request, sdpfrag.MEDIA_TYPE, ACCEPT_PATCH)
        _require_match(request, session.etag)
        fragment = sdpfrag.parse((await request.read()).decode(errors="replace"))
        if fragment.credentials is None or fragment.credentials == session.ice:
            # ICE-lite: the client's candidates are learnt from its checks.
            return web.Response(status=204)
        peer = self._server.hosting.peer(session.room.name, session.participant.id)
        with refusals():
            restart = peer.restart_ice(fragment.credentials.ufrag, fragment.credentials.pwd)
        session.ice, session.etag = fragment.credentials, _new_etag()
        body = sdpfrag.render(fragment, restart.ufrag, restart.pwd, restart.candidates)
        return web.Response(
            body=body.encode(), content_type=sdpfrag.MEDIA_TYPE, headers={hdrs.ETAG: session.etag}
        )

    async def delete(self, request: web.Request) -> web.Response:
        session = self._own(request)
        self._end(session, "left")
        return web.Response()

    def _permitted(self, request: web.Request, door: str, room: str) -> Claims:
        claims = claims_of(request, self._server)
        require_grant(claims, GRANTS[door])
        if not claims.may_join(room):
            raise forbidden("the token's room claim does not cover this room")
        return claims

    def _own(self, request: web.Request) -> WhipSession:
        claims = claims_of(request, self._server)
        session = self._sessions.get(request.match_info["session"])
        if session is None or session.room.name != request.match_info["room"]:
            raise not_found("no such session")
        if claims.sub != session.participant.identity:
            raise forbidden("the session was made by another identity")
        return session

    def _keep(self, session: WhipSession, claims: Claims) -> None:
        """Known until its participant leaves, for whatever reason."""

        def ended(code: CloseCode, reason: str) -> None:
            self._end(session, reason)

        connection = self._server.connections.register(claims, ended)

        def forget() -> None:
            connection.unregister()
            self._sessions.pop(session.id, None)

        self._sessions[session.id] = session
        session.participant.on_leaving = forget

    def _end(self, session: WhipSession, reason: str) -> None:
        self._server.hosting.act(session.room, session.room.remove(session.participant, reason))


def _enter(
    name: str, claims: Claims, door: str, sdp: str, watched: str | None
) -> Steps[tuple[WhipSession, str]]:
    """Join as a participant that lives as long as its media connection, and answer its offer."""
    room = yield from effects.enter(name)
    # Each door opens one direction only, whatever else the token grants.
    other = GRANTS["whep" if door == "whip" else "whip"]
    reduced = msgspec.structs.replace(claims, grants=claims.grants - {other})
    participant, joined = room.admit(reduced, anchored=True)
    try:
        yield from effects.append(joined)
    except HubbubError:
        room.dismiss(participant)
        raise
    try:
        if watched is not None:
            yield effects.Watch(name, participant.id, watched)
        answer = yield from effects.offer(Offer(name, participant.id, sdp))
    except HubbubError:
        yield from effects.each(room.remove(participant, "refused"))
        raise
    return WhipSession(room, participant, sdpfrag.credentials_of(sdp)), answer.sdp


def ice_links(servers: list[dict[str, Any]]) -> list[str]:
    """ICE servers as Link header values (RFC 9725 section 4.6)."""
    links = []
    for server in servers:
        login = "".join(f'; {name}="{server[name]}"' for name in ("username", "credential") if name in server)
        kind = '; credential-type="password"' if login else ""
        links += [f'<{url}>; rel="ice-server"{login}{kind}' for url in server["urls"]]
    return links


def _require_type(request: web.Request, wanted: str, accept: str) -> None:
    if request.content_type != wanted:
        raise Refused(415, "bad_request", f"Content-Type must be {wanted}", {accept: wanted})


def _require_match(request: web.Request, etag: str) -> None:
    """RFC 9725 section 4.3.1: whoever patches says which ICE session is meant."""
    given = request.headers.get(hdrs.IF_MATCH)
    if given is None:
        raise Refused(428, "bad_request", "If-Match must name the ICE session, or be *")
    if given.strip() != "*" and etag not in [tag.strip() for tag in given.split(",")]:
        raise Refused(412, "conflict", "If-Match names another ICE session")


def _guarded(handler: Handler) -> Handler:
    """Every answer, refusals too, may be read by any page."""

    async def guarded(request: web.Request) -> web.Response:
        try:
            response = await handler(request)
        except HubbubError as error:
            response = failure(error)
        except Refused as refusal:
            response = failure(refusal.error)
            response.set_status(refusal.status)
            response.headers.update(refusal.headers)
        response.headers.update(CORS)
        return response

    return guarded


def _options(header: str, media_type: str) -> Handler:
    async def options(_: web.Request) -> web.Response:
        response = web.Response(headers={header: media_type})
        response.headers.update(CORS)
        response.headers.update(PREFLIGHT)
        return response

    return options


def _new_etag() -> str:
    return f'"{new_id("ice")}"'
