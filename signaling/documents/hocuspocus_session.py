"""What Hocuspocus clients are told: one session for each document that a socket carries."""

from __future__ import annotations

import msgspec

from signaling.documents import hocuspocus, messages
from signaling.documents.library import Documents
from signaling.documents.session import Access, Session, Wire


class HocuspocusSession(Session):
    """`address` is how the client calls the document: its name, or name, NUL and session."""

    def __init__(self, documents: Documents, wire: Wire, identity: str, address: str) -> None:
        super().__init__(documents, wire, identity)
        self.address = address
        self._prefix = hocuspocus.prefix(address)

    @property
    def door(self) -> str:
        return f"{self._wire.door} {self.address}"

    def frame(self, message: bytes) -> bytes:
        return self._wire.frame(self._prefix + message)

    async def enter(self, name: str, access: Access) -> None:
        await super().enter(name, access)
        if self.document is not None:
            self.send(hocuspocus.authenticated(scope(access)), *self.document.greeting())

    def expel(self, reason: str) -> None:
        """The other documents of the socket stay."""
        self.send(hocuspocus.close(reason))
        self.leave()

    def refresh(self, access: Access) -> None:
        """Go on under a newer token."""
        self.access = access
        self.send(hocuspocus.authenticated(scope(access)))

    def acknowledge(self) -> None:
        self.send(hocuspocus.sync_status(True))

    def refused(self, reason: str) -> None:
        payload = msgspec.json.encode({"event": "refused", "reason": reason}).decode()
        self.send(hocuspocus.sync_status(False), hocuspocus.stateless(payload))

    def state_asked(self) -> None:
        """Clients expect to be asked for theirs, too; the answer is their first acknowledged change."""
        assert self.document is not None, "only members ask"
        self.send(messages.sync_step_1(self.document.state()))


def scope(access: Access) -> str:
    return "read-write" if access == "write" else "readonly"
