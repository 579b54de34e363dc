"""Requests of the room protocol (protocol section 3): decoding is validation.

`decode` answers a typed request, or says why not: as a Refusal where the client can be answered, by raising
Unanswerable where it cannot.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import msgspec

from signaling.errors import HubbubError, bad_request, too_large

KIB = 1024
MAX_MESSAGE_BYTES = 64 * KIB
MAX_LARGE_MESSAGE_BYTES = 256 * KIB
MAX_PRESENCE_BYTES = 4 * KIB
MAX_CHAT_TEXT_BYTES = 8 * KIB
# The longest emoji sequences of Unicode take about 35 bytes.
MAX_REACTION_BYTES = 64
MAX_HISTORY = 200
# RTP pictures are at most 65,535 pixels high (RFC 8851 gives no more to `max-height`).
MAX_UINT16 = 0xFFFF
MAX_LABEL_BYTES = 256
# A day: a state that shall stay longer is set without `ttl_ms`.
MAX_TTL_MS = 24 * 3600 * 1000


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """`id` is the client's; the reply carries it back as `re`."""

    large: ClassVar[bool] = False
    """Whether the message may have 256 KiB instead of 64."""

    id: int


class Join(Request, frozen=True, kw_only=True, tag="join"):
    room: str
    presence: dict[str, Any] | None = None
    since: str | None = None
    resume: str | None = None

    def __post_init__(self) -> None:
        limit_json("presence", self.presence, MAX_PRESENCE_BYTES)


class Leave(Request, frozen=True, kw_only=True, tag="leave"):
    pass


class Ping(Request, frozen=True, kw_only=True, tag="ping"):
    pass


class AuthRefresh(Request, frozen=True, kw_only=True, tag="auth.refresh"):
    token: str


class PresenceSet(Request, frozen=True, kw_only=True, tag="presence.set"):
    state: dict[str, Any]
    ttl_ms: int | None = None

    def __post_init__(self) -> None:
        limit_json("state", self.state, MAX_PRESENCE_BYTES)
        _in_range("ttl_ms", self.ttl_ms, 1, MAX_TTL_MS)


class ChatSend(Request, frozen=True, kw_only=True, tag="chat.send"):
    text: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    to: list[str] | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        limit_text("text", self.text, MAX_CHAT_TEXT_BYTES)
        limit_text("key", self.key, MAX_LABEL_BYTES)


class ChatHistory(Request, frozen=True, kw_only=True, tag="chat.history"):
    before: int | None = None
    limit: int = MAX_HISTORY

    def __post_init__(self) -> None:
        _in_range("limit", self.limit, 1, MAX_HISTORY)


class ChatEdit(Request, frozen=True, kw_only=True, tag="chat.edit"):
    """`offset` is the message's, here and in the three requests below."""

    offset: int
    text: str
    data: msgspec.Raw | None = None

    def __post_init__(self) -> None:
        limit_text("text", self.text, MAX_CHAT_TEXT_BYTES)


class ChatDelete(Request, frozen=True, kw_only=True, tag="chat.delete"):
    offset: int


class ChatReact(Request, frozen=True, kw_only=True, tag="chat.react"):
    offset: int
    reaction: str
    on: bool = True

    def __post_init__(self) -> None:
        if not self.reaction:
            raise ValueError("reaction must not be empty")
        limit_text("reaction", self.reaction, MAX_REACTION_BYTES)


class ChatRead(Request, frozen=True, kw_only=True, tag="chat.read"):
    """Without `offset` it asks how far the identity has read."""

    offset: int | None = None


class EventSend(Request, frozen=True, kw_only=True, tag="event.send"):
    name: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    to: list[str] | None = None
    keep: bool = False

    def __post_init__(self) -> None:
        limit_text("name", self.name, MAX_LABEL_BYTES)


class Signal(Request, frozen=True, kw_only=True, tag="signal"):
    large: ClassVar[bool] = True

    to: str
    data: msgspec.Raw


class TrackOptions(msgspec.Struct, frozen=True):
    """What a client says of one published section."""

    source: str
    name: str | None = None
    muted: bool = False

    def __post_init__(self) -> None:
        limit_text("source", self.source, MAX_LABEL_BYTES)
        limit_text("name", self.name, MAX_LABEL_BYTES)


class MediaOffer(Request, frozen=True, kw_only=True, tag="media.offer"):
    large: ClassVar[bool] = True

    sdp: str
    tracks: dict[str, TrackOptions] = {}


class MediaSubscribe(Request, frozen=True, kw_only=True, tag="media.subscribe"):
    mid: str
    track: str
    max_height: int | None = None
    max_fps: int | None = None
    priority: int | None = None

    def __post_init__(self) -> None:
        _in_range("max_height", self.max_height, 1, MAX_UINT16)
        _in_range("max_fps", self.max_fps, 1, MAX_UINT16)
        _in_range("priority", self.priority, 0, 255)


class MediaUnsubscribe(Request, frozen=True, kw_only=True, tag="media.unsubscribe"):
    mid: str


class MediaPolicy(Request, frozen=True, kw_only=True, tag="media.policy"):
    mode: Literal["auto", "manual"]


class MediaMute(Request, frozen=True, kw_only=True, tag="media.mute"):
    track: str
    muted: bool


AnyRequest = (
    Join
    | Leave
    | Ping
    | AuthRefresh
    | PresenceSet
    | ChatSend
    | ChatHistory
    | ChatEdit
    | ChatDelete
    | ChatReact
    | ChatRead
    | EventSend
    | Signal
    | MediaOffer
    | MediaSubscribe
    | MediaUnsubscribe
    | MediaPolicy
    | MediaMute
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that is no request, from a client that can be told so."""

    id: int
    error: HubbubError


class Unanswerable(Exception):
    """Not a JSON object with an integer `id`: there is nothing to reply to (4400)."""


class TooLarge(Exception):
    """Longer than a message of its type may be (4413)."""


def decode(text: str) -> AnyRequest | Refusal:
    """Raises Unanswerable and TooLarge."""
    size = len(text) if text.isascii() else len(text.encode())
    if size > MAX_LARGE_MESSAGE_BYTES:
        raise TooLarge(f"a message may have {MAX_LARGE_MESSAGE_BYTES} bytes, this one has {size}")
    request = _request(text)
    if size > MAX_MESSAGE_BYTES and not (isinstance(request, Request) and request.large):
        raise TooLarge(f"a message of this type may have {MAX_MESSAGE_BYTES} bytes, this one has {size}")
    return request


def _request(text: str) -> AnyRequest | Refusal:
    try:
        return _requests.decode(text)
    except (msgspec.DecodeError, RecursionError) as problem:
        return Refusal(_envelope(text), refused(problem))


def _envelope(text: str) -> int:
    """The id of a message that is no valid request.

    Python's own decoder is the more patient one: browsers write half of a surrogate pair as an escape that
    msgspec refuses, and whoever cuts a text in the middle of an emoji deserves an answer.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise Unanswerable("a message must be JSON") from None
    if not isinstance(message, dict) or type(message.get("id")) is not int:
        raise Unanswerable("a message must be a JSON object with an integer id")
    return int(message["id"])


def refused(problem: Exception) -> HubbubError:
    """What msgspec found wrong. It names the field as a JSON path: `Expected str, got int - at $.room`."""
    if isinstance(problem, RecursionError):
        return bad_request("the message is nested too deeply")
    told = str(problem).replace("`", "")
    return too_large(told) if isinstance(problem.__cause__, TooLong) else bad_request(told)


class TooLong(ValueError):
    """A field that is longer than it may be: told as `too_large`, not as `bad_request`."""


def limit_text(field: str, value: str | None, limit: int) -> None:
    if value is not None and (size := len(value.encode())) > limit:
        raise TooLong(f"{field} may have {limit} bytes of UTF-8, it has {size}")


def limit_json(field: str, value: object, limit: int) -> None:
    if value is not None and (size := len(msgspec.json.encode(value))) > limit:
        raise TooLong(f"{field} may have {limit} bytes of JSON, it has {size}")


def _in_range(field: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise ValueError(f"{field} must be from {low} to {high}, it is {value}")


# mypy takes a union for a plain object where a type is asked for.
_requests: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)
