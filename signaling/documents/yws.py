"""What y-websocket clients are told, over a WebSocket or a data channel."""

from __future__ import annotations

from signaling.documents import messages
from signaling.documents.session import Access, Session


class YSession(Session):
    """A stored update is acknowledged by its echo, which every member gets."""

    _refused: str | None = None

    def frame(self, message: bytes) -> bytes:
        return self._wire.frame(message)

    async def enter(self, name: str, access: Access) -> None:
        await super().enter(name, access)
        if self.document is not None:
            self.send(messages.sync_step_1(self.document.state()), *self.document.greeting())

    def acknowledge(self) -> None:
        pass

    def refused(self, reason: str) -> None:
        """Said once: the client shows it to somebody, and goes on sending."""
        if self._refused != reason:
            self._refused = reason
            self.send(messages.permission_denied(reason))

    def state_asked(self) -> None:
        pass
