"""`POST /v1/topics/{topic}`: append an event (protocol section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from signaling.errors import bad_request, forbidden, too_large
from signaling.eventsource import OWN_TYPES
from signaling.http.authenticate import claims_of
from signaling.http.bodies import json_response, read_json
from signaling.http.endpoints import Endpoint
from signaling.ids import validate_name
from signaling.messages import MAX_LABEL_BYTES, MAX_MESSAGE_BYTES, limit_text

if TYPE_CHECKING:
    from signaling.server import Server

# In rooms these are told by the server alone: clients believe them.
ROOM_PREFIX = "room:"
ROOM_TYPES = frozenset({"slot", "speakers", "presence", "signal", "recording", "quality", "event"})
# What the server keeps for itself; nobody else writes there, whatever a token says.
OWN_TOPICS = ("stream:", "read:")
ROOM_TYPE_PREFIXES = ("participant.", "track.", "chat", "room.", "server.", "recording.")


class Publication(msgspec.Struct, frozen=True):
    type: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    key: str | None = None

    def __post_init__(self) -> None:
        limit_text("key", self.key, MAX_LABEL_BYTES)


def routes(server: Server) -> list[Endpoint]:
    async def publish(request: web.Request) -> web.Response:
        claims = claims_of(request, server)
        topic = validate_name("topic", request.match_info["topic"])
        if claims.topic_access(topic) != "publish" or topic.startswith(OWN_TOPICS):
            raise forbidden(f"the token does not allow to publish to topic {topic}")
        if len(await request.read()) > MAX_MESSAGE_BYTES:
            raise too_large(f"body may have {MAX_MESSAGE_BYTES} bytes")
        wish = await read_json(request, Publication)
        _check_type(topic, validate_name("type", wish.type))
        entry = await server.log.append(topic, wish.type, wish.data, key=wish.key, sender=claims.sub)
        return json_response({"offset": entry.offset, "cursor": entry.cursor}, 201)

    return [
        Endpoint(
            "POST",
            "/v1/topics/{topic:.+}",
            publish,
            "Append an event to a topic",
            needs="publish access",
            answers=(201,),
        )
    ]


def _check_type(topic: str, kind: str) -> None:
    if kind in OWN_TYPES:
        raise bad_request(f"type {kind} is the event stream's own")
    if topic.startswith(ROOM_PREFIX) and (kind in ROOM_TYPES or kind.startswith(ROOM_TYPE_PREFIXES)):
        raise bad_request(f"type {kind} is told in rooms by the server alone")
