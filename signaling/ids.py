"""Names that people give and ids that the server makes."""

from __future__ import annotations

import secrets
import unicodedata

from signaling.errors import bad_request

MAX_NAME_BYTES = 256
# 96 bits: ids are never guessed or met twice, and stay short enough to read in a log.
ID_BYTES = 12
# 192 bits: a session secret is a credential.
SECRET_BYTES = 24


def new_id(prefix: str) -> str:
    """A fresh opaque id such as `p_3q2-8fJr0aXkq1bZ`."""
    return f"{prefix}_{secrets.token_urlsafe(ID_BYTES)}"


def new_secret() -> str:
    """A credential that lets its holder resume a session."""
    return secrets.token_urlsafe(SECRET_BYTES)


def validate_name(field: str, value: object, *, slash: bool = True) -> str:
    """Check a room, identity, topic or document name; answers it unchanged.

    1 to 256 bytes of UTF-8 without control characters (Unicode category Cc); only topics and documents may
    have a `slash`. Raises HubbubError bad_request that names `field`.
    """
    if not isinstance(value, str):
        raise bad_request(f"{field} must be a string")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise bad_request(f"{field} is not valid UTF-8") from None
    if not 1 <= size <= MAX_NAME_BYTES:
        raise bad_request(f"{field} must have 1 to {MAX_NAME_BYTES} bytes of UTF-8, it has {size}")
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise bad_request(f"{field} must not contain control characters")
    if not slash and "/" in value:
        raise bad_request(f"{field} must not contain a slash")
    return value
