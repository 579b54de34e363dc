"""The one driver: owns everything that lives, starts it in order, ends it in reverse."""

from __future__ import annotations

import time
from collections.abc import Callable

from signaling.config import Settings
from signaling.connections import Connections
from signaling.errors import unauthorized
from signaling.http.app import build_app
from signaling.http.listener import Listener
from signaling.revocations import Revocations
from signaling.tokens import Claims


class Server:
    """One node. `clock` answers Unix seconds."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.clock = clock
        self.keyring = settings.keyring
        self.revocations = Revocations()
        self.connections = Connections()
        self.draining = False
        self.serving = False
        self.app = build_app(self)
        self._listener = Listener(self.app, settings.host, settings.port)

    @property
    def ready(self) -> bool:
        return self.serving and not self.draining

    @property
    def url(self) -> str:
        """Base URL of the listener; only after `start`."""
        return self._listener.url

    def verify(self, token: str) -> Claims:
        """Claims of a token that is signed, in time and not revoked. Raises HubbubError unauthorized."""
        claims = self.keyring.verify(token, self.clock())
        if self.revocations.refuses(claims):
            raise unauthorized("token was revoked")
        return claims

    async def start(self) -> None:
        await self._listener.start()
        self.serving = True

    async def close(self) -> None:
        self.serving = False
        await self._listener.close()
