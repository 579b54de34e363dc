"""JSON bodies of requests: decoding is validation, as in signaling/messages.py."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from aiohttp import web

from signaling.messages import refused

T = TypeVar("T")


async def read_json(request: web.Request, form: type[T]) -> T:
    """The body as `form`; an empty body counts as `{}`. Raises HubbubError bad_request naming the field."""
    body = await request.read()
    try:
        return msgspec.json.decode(body or b"{}", type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise refused(problem) from problem


def json_response(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")
