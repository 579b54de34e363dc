"""Tokens: JSON Web Tokens signed with HS256 by one of the server's API keys (protocol section 1).

Verification is pure: the clock is an argument. What a token permits is asked of its Claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import jwt
import msgspec

from signaling.errors import HubbubError, unauthorized
from signaling.ids import validate_name

Access = Literal["read", "write"]
TopicAccess = Literal["read", "publish"]

GRANTS = frozenset({"publish", "subscribe", "chat", "docs:read", "docs:write", "record", "moderate", "admin"})
ALGORITHM = "HS256"
MIN_SECRET_BYTES = 32
MAX_LIFETIME = 30 * 24 * 3600
MAX_TOKEN_BYTES = 16 * 1024
MAX_META_BYTES = 4 * 1024
# Seconds by which the clocks of an application that mints tokens and of this server may differ: applied where
# a token would be refused for being a moment too young, never to prolong one.
CLOCK_SKEW = 2.0


class DocumentRule(msgspec.Struct, frozen=True):
    name: str
    access: Access


class TopicRule(msgspec.Struct, frozen=True):
    name: str
    access: TopicAccess


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a valid token says. `exp` and `nbf` are Unix seconds; `kid` is the API key that signed it."""

    sub: str
    exp: float
    name: str | None = None
    room: str | None = None
    grants: frozenset[str] = frozenset()
    docs: tuple[DocumentRule, ...] | None = None
    topics: tuple[TopicRule, ...] = ()
    meta: dict[str, Any] = {}
    nbf: float | None = None
    iat: float | None = None
    jti: str | None = None
    kid: str = ""

    def may(self, grant: str) -> bool:
        """`admin` carries `moderate` and `record`, in every room."""
        return grant in self.grants or (grant in ("moderate", "record") and "admin" in self.grants)

    def may_join(self, room: str) -> bool:
        return self.room is not None and self.room in ("*", room)

    def may_in(self, grant: str, room: str) -> bool:
        """Whether the grant holds in that room: an administrator's holds everywhere."""
        return self.may(grant) and ("admin" in self.grants or self.may_join(room))

    def topic_access(self, topic: str) -> TopicAccess | None:
        """`publish` includes reading. A token's own room and `user:<sub>` are always readable."""
        found = {rule.access for rule in self.topics if matches(rule.name, topic)}
        if "publish" in found:
            return "publish"
        room = topic.removeprefix("room:") if topic.startswith("room:") else None
        own = topic == f"user:{self.sub}" or (room is not None and self.may_join(room))
        return "read" if found or own else None

    def doc_access(self, name: str) -> Access | None:
        """`write` includes reading. A `docs` claim decides alone; without one the grants do."""
        if self.docs is not None:
            found: set[str] = {rule.access for rule in self.docs if matches(rule.name, name)}
        elif self.room is not None and (self.room in ("*", name) or name.startswith(f"{self.room}/")):
            found = {grant.removeprefix("docs:") for grant in self.grants if grant.startswith("docs:")}
        else:
            return None
        if "write" in found:
            return "write"
        return "read" if "read" in found else None


class Keyring:
    """API keys by id. Several at once, so that keys can be rotated without refusing anybody."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """Raises ValueError when a key id is empty or a secret is shorter than 32 bytes."""
        for kid, secret in keys.items():
            if not kid:
                raise ValueError("an API key needs an id: write id:secret")
            if len(secret.encode()) < MIN_SECRET_BYTES:
                raise ValueError(f"the secret of API key {kid!r} must have at least {MIN_SECRET_BYTES} bytes")
        self._keys = dict(keys)

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read `id:secret,id2:secret2`. Raises ValueError, which never shows a secret."""
        keys: dict[str, str] = {}
        for number, item in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
            kid, colon, secret = item.partition(":")
            if not colon:
                raise ValueError(f"API key number {number} is not written as id:secret")
            if kid in keys:
                raise ValueError(f"API key id {kid!r} is given twice")
            keys[kid] = secret
        return cls(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def ids(self) -> list[str]:
        return list(self._keys)

    def verify(self, token: str, now: float) -> Claims:
        """Check signature, form and times against Unix time `now`. Raises HubbubError unauthorized."""
        if len(token) > MAX_TOKEN_BYTES:
            raise unauthorized(f"token is longer than {MAX_TOKEN_BYTES} bytes")
        kid = self._kid(token)
        try:
            # The algorithm is pinned here: what the token's own header says of it is only compared.
            payload = jwt.PyJWS().decode(token, self._keys[kid], algorithms=[ALGORITHM])
        except jwt.InvalidTokenError as error:
            raise unauthorized("token signature is invalid") from error
        return _checked(_decoded(payload, kid), now)

    def mint(self, claims: Mapping[str, Any], kid: str | None = None) -> str:
        """Sign claims as they are, with the first key unless `kid` names another."""
        kid = kid or next(iter(self._keys))
        return jwt.encode(dict(claims), self._keys[kid], algorithm=ALGORITHM, headers={"kid": kid})

    def _kid(self, token: str) -> str:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise unauthorized("token is not a JSON Web Token") from error
        if not isinstance(kid, str) or kid not in self._keys:
            raise unauthorized("token header kid names no API key of this server")
        return kid


def matches(pattern: str, name: str) -> bool:
    """A pattern is an exact name, or ends in `*` and matches every name with that beginning."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def unknown_grants(grants: Iterable[str]) -> list[str]:
    return sorted(set(grants) - GRANTS)


def _decoded(payload: bytes, kid: str) -> Claims:
    try:
        claims = msgspec.json.decode(payload, type=Claims)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unauthorized(f"token claims are malformed: {error}") from error
    return msgspec.structs.replace(claims, kid=kid)


def _checked(claims: Claims, now: float) -> Claims:
    try:
        validate_name("token claim sub", claims.sub, slash=False)
    except HubbubError as error:
        raise unauthorized(error.message) from error
    if claims.exp <= now:
        raise unauthorized("token has expired (exp)")
    if claims.exp - now > MAX_LIFETIME + CLOCK_SKEW:
        raise unauthorized("token claim exp must be at most 30 days ahead")
    if claims.nbf is not None and claims.nbf > now + CLOCK_SKEW:
        raise unauthorized("token is not valid yet (nbf)")
    if len(msgspec.json.encode(claims.meta)) > MAX_META_BYTES:
        raise unauthorized(f"token claim meta must have at most {MAX_META_BYTES} bytes of JSON")
    return claims
