"""Tokens that are refused although they are signed and in time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from signaling.tokens import MAX_LIFETIME, Claims

Kind = Literal["sub", "jti"]


class Revocation(msgspec.Struct, frozen=True):
    """`at` and `until` are Unix seconds. After `until` every token that it meant has expired by itself."""

    kind: Kind
    value: str
    at: float
    until: float


class Revocations:
    """Every revocation that is still of use, in memory. Who stores them calls `add` again at start."""

    def __init__(self, kept: Iterable[Revocation] = ()) -> None:
        self._kept = {(entry.kind, entry.value): entry for entry in kept}

    def revoke(self, kind: Kind, value: str, now: float) -> Revocation:
        entry = Revocation(kind, value, now, now + MAX_LIFETIME)
        self.add(entry)
        return entry

    def add(self, entry: Revocation) -> None:
        self._kept[entry.kind, entry.value] = entry

    def prune(self, now: float) -> None:
        self._kept = {key: entry for key, entry in self._kept.items() if entry.until > now}

    def refuses(self, claims: Claims) -> bool:
        """A token of a revoked identity that says it was issued later (`iat`) is a new one and passes."""
        if claims.jti is not None and ("jti", claims.jti) in self._kept:
            return True
        entry = self._kept.get(("sub", claims.sub))
        return entry is not None and (claims.iat is None or claims.iat <= entry.at)
