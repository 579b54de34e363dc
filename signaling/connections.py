"""Everybody who is connected, by whatever door, so that expiry and revocation end them all alike."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count

from signaling.errors import CloseCode
from signaling.revocations import Revocations
from signaling.tokens import Claims

Close = Callable[[CloseCode, str], None]


class Connection:
    """One registered reader. `claims` are those of its newest token."""

    def __init__(self, registry: Connections, number: int, claims: Claims, close: Close) -> None:
        self._registry = registry
        self._close = close
        self.number = number
        self.claims = claims

    def refresh(self, claims: Claims) -> None:
        """Live on under a newer token."""
        self.claims = claims
        self._registry.schedule(self)

    def unregister(self) -> None:
        self._registry.forget(self)

    def close(self, code: CloseCode, reason: str) -> None:
        """Unregister, then tell the door. Never called twice for one connection."""
        self.unregister()
        self._close(code, reason)


class Connections:
    """The registry. Clock-free: who owns it calls `expire` at least once a second."""

    def __init__(self) -> None:
        self._numbers = count()
        self._open: dict[int, Connection] = {}
        self.on_empty: Callable[[], None] | None = None
        """Called when the last connection is gone."""
        # (expiry in Unix seconds, connection number); entries outdated by a refresh are skipped when met.
        self._expiries: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._open.values()))

    def register(self, claims: Claims, close: Close) -> Connection:
        """`close` is called at most once, synchronously, when the server ends the connection."""
        connection = Connection(self, next(self._numbers), claims, close)
        self._open[connection.number] = connection
        self.schedule(connection)
        return connection

    def schedule(self, connection: Connection) -> None:
        heapq.heappush(self._expiries, (connection.claims.exp, connection.number))

    def forget(self, connection: Connection) -> None:
        self._open.pop(connection.number, None)
        if not self._open and self.on_empty is not None:
            self.on_empty()

    def expire(self, now: float) -> None:
        """Close (4401) every connection whose token has expired at Unix time `now`."""
        while self._expiries and self._expiries[0][0] <= now:
            _, number = heapq.heappop(self._expiries)
            connection = self._open.get(number)
            if connection is not None and connection.claims.exp <= now:
                connection.close(CloseCode.UNAUTHORIZED, "token has expired")

    def end_refused(self, revocations: Revocations) -> None:
        """Close (4401) every connection whose token is now revoked."""
        for connection in self:
            if revocations.refuses(connection.claims):
                connection.close(CloseCode.UNAUTHORIZED, "token was revoked")

    def close_all(self, code: CloseCode, reason: str) -> None:
        for connection in self:
            connection.close(code, reason)
