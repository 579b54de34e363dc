"""`/v1/docs/…`: documents over HTTP, and the WebSocket of y-websocket clients at the same path."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
from aiohttp import hdrs, web
from pycrdt import get_state as vector_of

from signaling.documents.lib0 import Malformed
from signaling.documents.update import state_vector
from signaling.errors import bad_request, forbidden, too_large
from signaling.http.authenticate import claims_of, require_grant
from signaling.http.bodies import json_response, read_json
from signaling.http.endpoints import Endpoint
from signaling.http.yws import serve_yws
from signaling.ids import validate_name
from signaling.tokens import Claims

if TYPE_CHECKING:
    from signaling.server import Server

MAX_LABEL = 200
UPDATE_TYPE = "application/octet-stream"


class NewVersion(msgspec.Struct):
    label: str | None = None


def routes(server: Server) -> list[Endpoint]:
    http = _Documents(server)
    path = "/v1/docs/{name:.+}"
    versions = "/v1/docs/{name:.+}/versions"
    version = versions + "/{id:[^/]+}"
    return [
        Endpoint("GET", versions, http.versions, "List versions, newest first", "docs:read"),
        Endpoint("POST", versions, http.create_version, "Keep the present state", "docs:write", (201,)),
        Endpoint("GET", version, http.version, "A version's state (?format=json)", "docs:read"),
        Endpoint("GET", version + "/diff", http.diff, "What changed since, as text", "docs:read"),
        Endpoint("POST", version + "/restore", http.restore, "Restore as a new edit", "docs:write", (204,)),
        Endpoint("GET", path, http.get, "State as an update (?format=json); Yjs sync", "docs:read"),
        Endpoint("POST", path, http.post, "Apply an update", "docs:write", (204,)),
        Endpoint("DELETE", path, http.delete, "Delete with all versions", "admin", (204,)),
    ]


class _Documents:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._documents = server.documents

    async def get(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
            return await serve_yws(request, self._server)
        name, _ = self._allowed(request)
        return await self._state(request, await self._documents.state(name))

    async def post(self, request: web.Request) -> web.Response:
        name, _ = self._allowed(request, write=True)
        update = await self._body(request)
        async with self._documents.held(name) as document:
            try:
                await self._documents.receive(document, update, None)
            except Malformed as error:
                raise bad_request(f"the body is no update of format v1: {error}") from error
            await self._documents.settled(document)
            tag = etag(document.state())
        return web.Response(status=204, headers={hdrs.ETAG: tag})

    async def delete(self, request: web.Request) -> web.Response:
        name = validate_name("document", request.match_info["name"])
        require_grant(claims_of(request, self._server), "admin")
        await self._documents.delete(name)
        return web.Response(status=204)

    async def versions(self, request: web.Request) -> web.Response:
        name, _ = self._allowed(request)
        return json_response({"versions": await self._documents.store.versions(name)})

    async def create_version(self, request: web.Request) -> web.Response:
        name, claims = self._allowed(request, write=True)
        form = await read_json(request, NewVersion)
        if form.label is not None and len(form.label) > MAX_LABEL:
            raise bad_request(f"label must have at most {MAX_LABEL} characters")
        version = await self._documents.save_version(name, label=form.label, author=claims.sub)
        return json_response(version, 201)

    async def version(self, request: web.Request) -> web.StreamResponse:
        name, _ = self._allowed(request)
        _, content = await self._documents.store.version(name, request.match_info["id"])
        return await self._state(request, content)

    async def diff(self, request: web.Request) -> web.Response:
        """Against `?to=` another version, or the present state."""
        name, _ = self._allowed(request)
        _, old = await self._documents.store.version(name, request.match_info["id"])
        if other := request.query.get("to"):
            _, new = await self._documents.store.version(name, other)
        else:
            new = await self._documents.state(name)
        return _json(b'{"roots":' + await self._documents.compare(old, new) + b"}")

    async def restore(self, request: web.Request) -> web.Response:
        name, claims = self._allowed(request, write=True)
        await self._documents.restore(name, request.match_info["id"], claims.sub)
        return web.Response(status=204)

    def _allowed(self, request: web.Request, *, write: bool = False) -> tuple[str, Claims]:
        name = validate_name("document", request.match_info["name"])
        claims = claims_of(request, self._server)
        access = claims.doc_access(name)
        if access is None and "admin" not in claims.grants:
            raise forbidden("the token gives no access to this document")
        if write and access != "write" and "admin" not in claims.grants:
            raise forbidden("the token only allows to read this document")
        return name, claims

    async def _body(self, request: web.Request) -> bytes:
        limit = self._documents.limit
        if (request.content_length or 0) > limit:
            raise too_large(f"an update must have at most {limit} bytes")
        body = bytearray()
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > limit:
                raise too_large(f"an update must have at most {limit} bytes")
        return bytes(body)

    async def _state(self, request: web.Request, state: bytes) -> web.Response:
        tag = etag(vector_of(state))
        if request.headers.get(hdrs.IF_NONE_MATCH) == tag:
            return web.Response(status=304, headers={hdrs.ETAG: tag})
        if request.query.get("format") == "json":
            response = _json(await self._documents.render(state))
        else:
            response = web.Response(body=state, content_type=UPDATE_TYPE)
        response.headers[hdrs.ETAG] = tag
        return response


def etag(vector: bytes) -> str:
    """Of a state vector, whose entries are in no particular order."""
    entries = sorted(state_vector(vector).items())
    return f'"{hashlib.sha256(repr(entries).encode()).hexdigest()[:32]}"'


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
