"""Every document that is in memory: loading, storing, sending on, compacting, letting go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from pycrdt import Doc

from signaling.documents.document import Document, EngineBroken, Member, walk
from signaling.documents.lib0 import Malformed
from signaling.documents.offload import Workroom
from signaling.documents.update import EMPTY, TooManyStructs
from signaling.documents.workroom import (
    Answer,
    Compact,
    CompactStored,
    Compare,
    Inspect,
    Render,
    Request,
    Restore,
    perform,
)
from signaling.errors import HubbubError, not_found, unavailable
from signaling.ids import new_id
from signaling.storage.documents import Append, DocumentStore, Stored, Version

log = structlog.get_logger("hubbub.documents")
DEFAULT_LIMIT = 32 * 1024 * 1024
# A log is compacted when it has this many updates, or this many bytes and half of what the snapshot has.
COMPACT_LENGTH = 500
COMPACT_BYTES = 64 * 1024
# Up to this size a compaction takes some milliseconds, and is made on the loop.
COMPACT_HERE_BYTES = 128 * 1024
# Shared types that may come between two compactions: each measures how deep they are nested.
COMPACT_NESTED = 5_000
# What sending to one more reader costs is about 10 us, so this keeps one document's updates below a tenth of
# a core: a document with 10 readers waits 1 ms, one with 1,000 readers the most, 100 ms.
SECONDS_PER_READER = 100e-6
MAX_WAIT_SECONDS = 0.1
# Seconds between attempts to store after one that failed.
RETRY_SECONDS = 1.0
# How long a loaded document waits for the one who asked for it.
LOADED_SECONDS = 0.2
# How long a full state is kept for the next joiner.
CACHE_SECONDS = 10.0
# Automatic versions of a document that is being edited.
VERSION_SECONDS = 600.0
KEEP_AUTOMATIC = 50

ChangeHook = Callable[[str, Doc[Any]], Awaitable[None]]
LoadHook = Callable[[str, Doc[Any]], Awaitable[None]]
StoreHook = Callable[[str, int], Awaitable[None]]


class Documents:
    """`clock` answers Unix seconds."""

    def __init__(
        self, store: DocumentStore, *, clock: Callable[[], float] = time.time, limit: int = DEFAULT_LIMIT
    ) -> None:
        self.limit = limit
        self.store = store
        self.clock = clock
        self.version_seconds = VERSION_SECONDS
        self.keep_automatic = KEEP_AUTOMATIC
        self.change_debounce = 2.0
        self._workroom = Workroom()
        self._open: dict[str, Document] = {}
        self._loading: dict[str, asyncio.Task[Document]] = {}
        self._dirty: dict[Document, None] = {}
        self._storing = False
        self._scheduled = False
        self._sending: dict[Document, float] = {}
        self._sent: dict[Document, float] = {}
        self._compacting: dict[Document, asyncio.Task[None]] = {}
        self._renewing: dict[Document, asyncio.Task[None]] = {}
        self._versioned: dict[str, float] = {}
        self._changing: dict[Document, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._waiting: list[tuple[Document, int, asyncio.Future[None]]] = []
        self.on_load: list[LoadHook] = []
        self.on_change: list[ChangeHook] = []
        self.on_store: list[StoreHook] = []

    def __len__(self) -> int:
        return len(self._open)

    async def start(self) -> None:
        await self.store.start()

    async def close(self) -> None:
        """Store what can be stored, then let go of everything."""
        for document in list(self._open.values()):
            if document.unstored and not document.failing:
                await self.settled(document)
        for task in [*self._tasks, *self._compacting.values(), *self._renewing.values()]:
            task.cancel()
        for timer in self._changing.values():
            timer.cancel()
        await self._workroom.close()
        for document in self._open.values():
            document.close()
        self._open.clear()

    # ------------------------------------------------------------ open, close

    async def enter(self, name: str, member: Member) -> Document:
        """The document with `member` in it. Raises HubbubError unavailable when it cannot be read."""
        document = await self._opened(name)
        document.join(member)
        return document

    def leave(self, document: Document, member: Member) -> None:
        document.leave(member)
        self._release(document)

    @asynccontextmanager
    async def edit(self, name: str) -> AsyncIterator[Doc[Any]]:
        """A Doc whose transactions are stored and sent on; when the block is left they are stored.

        Raises HubbubError unavailable when it cannot be read, or cannot be stored in the end.
        """
        async with self.held(name) as document:
            yield document.doc
            await self.settled(document)

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[Document]:
        """The document, in memory for as long as the block lasts. Raises HubbubError unavailable."""
        document = await self._opened(name)
        document.editors += 1
        try:
            yield document
        finally:
            document.editors -= 1
            self._release(document)

    async def settled(self, document: Document) -> None:
        """Wait until everything that the document has now is stored. Raises HubbubError unavailable."""
        if not document.unstored:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((document, document.number, waiter))
        await waiter

    async def _opened(self, name: str) -> Document:
        """In the same turn as it is answered nobody can let go of it."""
        while True:
            if (document := self._open.get(name)) is not None:
                return document
            if name not in self._loading:
                self._loading[name] = asyncio.create_task(self._load(name))
            await asyncio.shield(self._loading[name])

    async def _load(self, name: str) -> Document:
        try:
            document = Document(name, self, self.limit)
            stored = await self.store.load(name)
            if stored is not None:
                document.restore(stored)
            self._open[name] = document
            document.editors += 1
            for hook in self.on_load:
                await hook(name, document.doc)
            document.editors -= 1
            # Whoever asked for it takes hold of it in the next turns, unless it went away meanwhile.
            asyncio.get_running_loop().call_later(LOADED_SECONDS, self._release, document)
            return document
        finally:
            del self._loading[name]

    def _release(self, document: Document) -> None:
        """Let go of a document that nobody uses."""
        if document.in_use or document in self._compacting or document in self._renewing:
            return
        if self._open.get(document.name) is not document:
            return
        del self._open[document.name]
        for table in (self._dirty, self._sending, self._sent):
            table.pop(document, None)
        if (timer := self._changing.pop(document, None)) is not None:
            timer.cancel()
        document.close()

    # ---------------------------------------------------------------- receive

    async def receive(self, document: Document, update: bytes, member: Member | None) -> None:
        """Check, apply and queue an update; it is acknowledged to `member` when it is stored.

        Raises Malformed, HubbubError too_large or unavailable: then nothing has changed.
        """
        if (renewing := self._renewing.get(document)) is not None:
            await asyncio.shield(renewing)
        try:
            nested = walk(update)
        except TooManyStructs:
            nested = (await self._workroom.ask(Inspect(update))).nested
        document.nested += nested
        if document.nested > 3 * COMPACT_NESTED:
            await self.compact(document)
        try:
            try:
                document.receive(update, member)
            except HubbubError as refusal:
                if refusal.code != "too_large" or not document.log_length:
                    raise
                # The size is an upper bound: measure it before anybody is refused.
                await self.compact(document)
                document.receive(update, member)
        except EngineBroken as broken:
            await self._renew(document)
            raise Malformed("the update cannot be applied") from broken

    async def _renew(self, document: Document) -> None:
        """Build the Doc again from what is stored, behind the back of everybody else."""
        log.warning("engine_broken", document=document.name)
        task = asyncio.create_task(self._rebuild(document))
        self._renewing[document] = task
        try:
            await asyncio.shield(task)
        finally:
            self._renewing.pop(document, None)

    async def _rebuild(self, document: Document) -> None:
        await self.settled(document)
        document.renew(await self.store.load(document.name) or Stored())

    # ------------------------------------------------------------------ store

    def dirty(self, document: Document) -> None:
        self._dirty[document] = None
        self._schedule()

    def _schedule(self) -> None:
        """One write at a time, of everything that the turn has brought: that is the group commit."""
        if not self._scheduled and not self._storing:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._store)

    def _store(self) -> None:
        self._scheduled = False
        dirty, self._dirty = self._dirty, {}
        counts = {document: len(document.unstored) for document in dirty}
        entries = [
            Append(document.name, entry.number, entry.content)
            for document in dirty
            for entry in document.unstored
            if entry.content
        ]
        if not entries:
            self._committed(counts)
            return
        self._storing = True
        try:
            self.store.append(entries, lambda failure: self._stored(counts, failure))
        except HubbubError as failure:
            self._stored(counts, failure)

    def _stored(self, counts: dict[Document, int], failure: Exception | None) -> None:
        self._storing = False
        if failure is None:
            self._committed(counts)
        else:
            self._failed(counts, failure)
        if self._dirty:
            self._schedule()

    def _committed(self, counts: dict[Document, int]) -> None:
        for document, count in counts.items():
            if document.failing:
                document.failing = False
                log.info("document_stored_again", document=document.name)
            document.committed(count)
            self._after_store(document)

    def _after_store(self, document: Document) -> None:
        waiting = [entry for entry in self._waiting if entry[0] is document and entry[1] <= document.stored]
        for entry in waiting:
            self._waiting.remove(entry)
            if not entry[2].done():
                entry[2].set_result(None)
        if self._due(document):
            self._compaction(document)
        if self.on_change:
            self._change_soon(document)
        for hook in self.on_store:
            self._spawn(hook(document.name, document.stored))
        self._version_soon(document)
        self._release(document)

    def _failed(self, counts: dict[Document, int], failure: Exception) -> None:
        """Keep everything in memory, acknowledge nothing, say so, and try again."""
        for document in counts:
            if not document.failing:
                document.failing = True
                log.error("document_not_stored", document=document.name, reason=str(failure))
        for entry in [entry for entry in self._waiting if entry[0] in counts]:
            self._waiting.remove(entry)
            if not entry[2].done():
                entry[2].set_exception(failure)
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._retry, list(counts))

    def _retry(self, documents: list[Document]) -> None:
        for document in documents:
            self.dirty(document)

    # ---------------------------------------------------------------- send on

    def outgoing(self, document: Document) -> None:
        """At once where that is cheap, else in the document's next turn: see SECONDS_PER_READER."""
        if document in self._sending:
            return
        loop = asyncio.get_running_loop()
        wait = min(len(document.members) * SECONDS_PER_READER, MAX_WAIT_SECONDS)
        at = self._sent.get(document, 0.0) + wait
        self._sending[document] = at
        if at <= loop.time() or wait < 0.001:
            loop.call_soon(self._send, document)
        else:
            loop.call_at(at, self._send, document)

    def _send(self, document: Document) -> None:
        if self._sending.pop(document, None) is not None:
            self._sent[document] = asyncio.get_running_loop().time()
            document.send()

    # ---------------------------------------------------------------- compact

    def _due(self, document: Document) -> bool:
        return document not in self._compacting and (
            document.log_length >= COMPACT_LENGTH
            or document.nested >= COMPACT_NESTED
            or document.log_size >= max(COMPACT_BYTES, document.snapshot_size // 2)
        )

    async def compact(self, document: Document) -> None:
        """Replace the log by one snapshot, made by another process. Raises HubbubError unavailable."""
        await asyncio.shield(self._compaction(document))

    def _compaction(self, document: Document) -> asyncio.Task[None]:
        """The one that is under way, or a new one; the document is not let go of before it ends."""
        task = self._compacting.get(document)
        if task is None:
            task = self._compacting[document] = asyncio.create_task(self._compact(document))
            task.add_done_callback(lambda ended: self._compaction_ended(document, ended))
        return task

    def _compaction_ended(self, document: Document, task: asyncio.Task[None]) -> None:
        del self._compacting[document]
        if not task.cancelled() and (error := task.exception()) is not None:
            # The log stays as it is, which is correct and only slower; the next update tries again.
            log.warning("document_not_compacted", document=document.name, reason=str(error))
        self._release(document)

    async def _compact(self, document: Document) -> None:
        await self.settled(document)
        if document.deleted:
            return
        if document.size > COMPACT_HERE_BYTES:
            answer = await self._workroom.ask(CompactStored(str(self.store.path), document.name))
            if answer.through:
                document.compacted(answer.size, answer.count, answer.dropped)
            return
        stored = await self.store.load(document.name)
        if stored is None:
            return
        answer = await self._compacted(stored)
        kept = frozenset(answer.kept)
        await self.store.compact(document.name, answer.snapshot, stored.last, kept)
        dropped = [content for number, content in stored.updates if number not in kept]
        document.compacted(len(answer.snapshot), len(dropped), sum(map(len, dropped)))

    # --------------------------------------------------------------- versions

    async def save_version(
        self, name: str, *, label: str | None = None, author: str | None = None, automatic: bool = False
    ) -> Version:
        """Keep the present state under an id. Raises HubbubError not_found, unavailable."""
        content = await self.state(name)
        version = Version(new_id("v"), label, author, automatic, int(self.clock() * 1000), len(content))
        await self.store.add_version(name, version, content)
        await self.store.retain(name, self.keep_automatic)
        return version

    async def state(self, name: str) -> bytes:
        """The stored state as one update. Raises HubbubError not_found, unavailable."""
        if (document := self._open.get(name)) is not None:
            await self.settled(document)
        stored = await self.store.load(name)
        if stored is None:
            raise not_found("there is no document of that name")
        if not stored.updates:
            return stored.snapshot or EMPTY
        return (await self._compacted(stored)).snapshot

    async def render(self, state: bytes) -> bytes:
        """The root types of a state as JSON. Raises HubbubError unavailable."""
        return (await self._asked(Render(state))).snapshot

    async def compare(self, old: bytes, new: bytes) -> bytes:
        """What differs between two states, as JSON. Raises HubbubError unavailable."""
        return (await self._asked(Compare(old, new))).snapshot

    async def restore(self, name: str, id: str, author: str | None) -> None:
        """Make the document what it was, by a new edit; what it is now is kept as a version.

        Raises HubbubError not_found, too_large, unavailable.
        """
        _, version = await self.store.version(name, id)
        await self.save_version(name, author=author, automatic=True)
        async with self.held(name) as document:
            update = (await self._asked(Restore(await self.state(name), version))).snapshot
            await self.receive(document, update, None)
            await self.settled(document)

    async def delete(self, name: str) -> None:
        """With all versions; who is connected is told to go. Raises HubbubError not_found."""
        document = self._open.get(name)
        if document is not None:
            document.deleted = True
            await self.settled(document)
        if not await self.store.delete(name):
            raise not_found("there is no document of that name")
        if document is not None:
            for member in list(document.members):
                member.expel("the document was deleted")
            if self._open.get(name) is document:
                del self._open[name]

    async def _compacted(self, stored: Stored) -> Answer:
        """Small logs are not worth the way to another process."""
        request = Compact(stored.snapshot, list(stored.updates))
        if stored.size <= COMPACT_HERE_BYTES and len(stored.updates) <= 2 * COMPACT_LENGTH:
            answer = perform(request)
            if answer.malformed is None:
                return answer
        return await self._workroom.ask(request)

    async def _asked(self, request: Request) -> Answer:
        try:
            return await self._workroom.ask(request)
        except Malformed as error:
            raise unavailable(f"the document cannot be shown: {error}") from error

    def _version_soon(self, document: Document) -> None:
        now = self.clock()
        due = self._versioned.setdefault(document.name, now) + self.version_seconds
        if now >= due:
            self._versioned[document.name] = now
            self._spawn(self._version(document.name))

    async def _version(self, name: str) -> None:
        try:
            await self.save_version(name, automatic=True)
        except (HubbubError, Malformed) as error:
            log.warning("document_version_failed", document=name, reason=str(error))

    # ------------------------------------------------------------------ hooks

    def _change_soon(self, document: Document) -> None:
        if document not in self._changing:
            document.editors += 1
            self._changing[document] = asyncio.get_running_loop().call_later(
                self.change_debounce, self._changed, document
            )

    def _changed(self, document: Document) -> None:
        self._changing.pop(document, None)
        self._spawn(self._tell_change(document))

    async def _tell_change(self, document: Document) -> None:
        try:
            for hook in self.on_change:
                await hook(document.name, document.doc)
        finally:
            document.editors -= 1
            self._release(document)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("document_task_failed", reason=repr(error), exc_info=error)
