"""One connection's part in one document, the same for every door: access, slowness, awareness."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Protocol

from signaling.documents import messages
from signaling.documents.batch import Batch
from signaling.documents.document import Document, EngineBroken, Missed
from signaling.documents.lib0 import Malformed
from signaling.documents.library import Documents
from signaling.documents.messages import Awareness, Message, QueryAwareness, SyncStep1, SyncStep2, Update
from signaling.errors import CloseCode, HubbubError

Access = Literal["read", "write"]
# Bytes that a reader may have waiting. Beyond it is sent nothing, and is told the difference when it has read
# what it has: the state of a document can be made again, so nobody's updates have to be queued.
HIGH_WATER = 1024 * 1024


class Wire(Protocol):
    """Carries whole messages of one connection."""

    door: str
    """Name of its framing, by which a batch keeps what it has encoded."""

    @property
    def backlog(self) -> int:
        """Bytes given and not sent yet."""

    def frame(self, message: bytes) -> bytes: ...

    def put(self, frames: bytes) -> None: ...

    def close(self, code: CloseCode, reason: str) -> None: ...

    def watch(self, session: Session) -> None:
        """Call `session.drained` when the backlog has gone down."""


class Session(ABC):
    """A member of a document. Subclasses speak to one kind of client."""

    def __init__(self, documents: Documents, wire: Wire, identity: str) -> None:
        self.identity = identity
        self.clients: set[int] = set()
        self.access: Access = "read"
        self.document: Document | None = None
        self._documents = documents
        self._wire = wire
        self._missed: Missed | None = None
        self._left = False

    @property
    def door(self) -> str:
        return self._wire.door

    @abstractmethod
    def frame(self, message: bytes) -> bytes: ...

    @abstractmethod
    def acknowledge(self) -> None: ...

    @abstractmethod
    def refused(self, reason: str) -> None:
        """A change was not taken: the client may not write, or the document is full."""

    @abstractmethod
    def state_asked(self) -> None:
        """A step 1 came: what goes before the answer."""

    async def enter(self, name: str, access: Access) -> None:
        """Raises HubbubError unavailable."""
        self.access = access
        document = await self._documents.enter(name, self)
        if self._left:
            self._documents.leave(document, self)
            return
        self.document = document

    def leave(self) -> None:
        """Once is enough, and twice does no harm."""
        self._left = True
        if self.document is not None:
            document, self.document = self.document, None
            self._documents.leave(document, self)

    def deliver(self, batch: Batch) -> None:
        if self._missed is None:
            self._put(batch)

    def send(self, *bodies: bytes) -> None:
        """To this member alone, whatever else it misses."""
        self._wire.put(b"".join([self.frame(body) for body in bodies]))

    def expel(self, reason: str) -> None:
        self._wire.close(CloseCode.ROOM_CLOSED, reason)

    def drained(self) -> None:
        if self.document is not None and self._missed is not None:
            missed, self._missed = self._missed, None
            self._put(self.document.resynchronise(missed))

    async def take(self, message: Message) -> None:
        """Raises Malformed; HubbubError unavailable when the document cannot go on."""
        if self.document is None:
            return
        match message:
            case SyncStep1(state):
                self._answer(self.document, state)
            case Update(update) | SyncStep2(update):
                await self._change(self.document, update)
            case Awareness(payload):
                self.document.notice(payload, self)
            case QueryAwareness():
                self.send(*self.document.greeting())
            case _:
                pass

    def _answer(self, document: Document, state: bytes) -> None:
        self.state_asked()
        try:
            first, *rest = document.difference(state)
        except EngineBroken as broken:
            raise Malformed("the state vector cannot be read") from broken
        self._put(Batch([messages.sync_step_2(first), *[messages.update(part) for part in rest]]))

    async def _change(self, document: Document, update: bytes) -> None:
        try:
            if self.access == "write":
                await self._documents.receive(document, update, self)
            elif document.holds(update):
                self.acknowledge()
            else:
                self.refused("this connection may only read")
        except HubbubError as refusal:
            self.refused(refusal.message)

    def _put(self, batch: Batch) -> None:
        self._wire.put(batch.wire(self.door, self.frame))
        if self._wire.backlog > HIGH_WATER and self.document is not None:
            self._missed = self.document.missed(self)
            self._wire.watch(self)
