"""What goes wrong, and who is told what.

HubbubError is the one exception that crosses layers: its `code` decides the HTTP status (protocol section 2)
and is what clients switch on; `message` names the field and the limit that were broken; `retry` says whether
the same request can succeed later.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

STATUS = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "room_full": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "rate_limited": 429,
    "internal": 500,
    "unavailable": 503,
}
RETRYABLE = {"rate_limited", "room_full", "unavailable", "internal"}


class HubbubError(Exception):
    """A refusal with a code of protocol section 2. Raises KeyError on an unknown code: a bug of ours."""

    def __init__(
        self, code: str, message: str, *, retry: bool | None = None, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = STATUS[code]
        self.retry = code in RETRYABLE if retry is None else retry
        self.retry_after_ms = retry_after_ms

    def to_wire(self) -> dict[str, Any]:
        """The value of `error` in replies and HTTP bodies."""
        wire: dict[str, Any] = {"code": self.code, "message": self.message, "retry": self.retry}
        if self.retry_after_ms is not None:
            wire["retry_after_ms"] = self.retry_after_ms
        return wire


def bad_request(message: str) -> HubbubError:
    return HubbubError("bad_request", message)


def unauthorized(message: str) -> HubbubError:
    return HubbubError("unauthorized", message)


def forbidden(message: str) -> HubbubError:
    return HubbubError("forbidden", message)


def not_found(message: str) -> HubbubError:
    return HubbubError("not_found", message)


def conflict(message: str) -> HubbubError:
    return HubbubError("conflict", message)


def too_large(message: str) -> HubbubError:
    return HubbubError("too_large", message)


def rate_limited(message: str, retry_after_ms: int) -> HubbubError:
    return HubbubError("rate_limited", message, retry_after_ms=retry_after_ms)


def unavailable(message: str, retry_after_ms: int | None = None) -> HubbubError:
    return HubbubError("unavailable", message, retry_after_ms=retry_after_ms)


class CloseCode(IntEnum):
    """WebSocket close codes (protocol section 3). Clients reconnect after the ones marked (again)."""

    NORMAL = 1000
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    HEARTBEAT_LOST = 4408  # again
    RESUMED_ELSEWHERE = 4409
    ROOM_CLOSED = 4410
    TOO_LARGE = 4413
    RATE_LIMITED = 4429  # again
    INTERNAL = 4500  # again
    DRAINING = 4503  # again
    TOO_SLOW = 4508  # again
