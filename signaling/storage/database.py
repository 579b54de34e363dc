"""One SQLite file for everything that has to survive: logs, documents, revocations, webhook cursors.

Writes go to one thread (signaling/storage/writer.py), reads to two others, which WAL lets run meanwhile. The
loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from signaling.errors import unavailable
from signaling.storage.connecting import connect
from signaling.storage.writer import Done, Pending, Writer, refusal

T = TypeVar("T")
# One for long reads (a document of 32 MiB), one for the short ones beside it.
READERS = 2


class Database:
    """`start` before anything else. Works run on threads: they must touch nothing but their connection."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = Writer(path, self._committed)
        self._readers: ThreadPoolExecutor | None = None
        self._local = threading.local()
        self._reading: list[sqlite3.Connection] = []
        self._home: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """None while nothing may be asked for."""
        self._lock: IO[bytes] | None = None

    async def start(self) -> None:
        """Open the file, making it where it is missing. Raises OSError, BlockingIOError when another
        process has it open, and sqlite3.Error when it is no database."""
        self._lock = _claim(self.path)
        self._home = loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._writer.start)
        self._readers = ThreadPoolExecutor(READERS, "storage-reader")
        self._loop = loop
        await self.write(_make_versions)

    async def migrate(self, component: str, steps: Sequence[str]) -> None:
        """Apply those SQL statements of a component that this file has not seen yet, in order.

        A step is one statement, and never changes once released: new ones are added behind.
        """
        await self.write(partial(_migrate, component=component, steps=steps))

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction and answer its result once that is committed.

        Works run in the order of the calls. One that raises is undone and raises here; the others of the
        same transaction are not touched. Raises HubbubError unavailable when storage fails or is too slow.
        """
        written: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def done(result: T, failure: Exception | None) -> None:
            if written.done():
                return
            if failure is not None:
                written.set_exception(failure)
            else:
                written.set_result(result)

        self.submit(work, done)
        return await written

    def submit(self, work: Callable[[sqlite3.Connection], Any], done: Done) -> None:
        """Like `write`, for callers that must not miss the end: `done(result, failure)` is called on the
        loop after the COMMIT, in the order of the calls, whoever is cancelled meanwhile."""
        if self._loop is None:
            raise unavailable("storage is closed")
        self._writer.put(work, done)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on one snapshot that has every committed write. Raises HubbubError unavailable."""
        if self._loop is None:
            raise unavailable("storage is closed")
        return await self._loop.run_in_executor(self._readers, self._read, work)

    async def close(self) -> None:
        """Commit everything that waits, then close. Nothing may be asked for afterwards."""
        if self._loop is None or self._readers is None:
            return
        loop, self._loop = self._loop, None
        last = loop.create_future()
        self._writer.put(_nothing, lambda *_: last.set_result(None))
        await last
        await loop.run_in_executor(None, self._writer.close)
        await loop.run_in_executor(None, self._readers.shutdown)
        for connection in self._reading:
            connection.close()
        if self._lock is not None:
            self._lock.close()

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise refusal(error) from error

    def _connection(self) -> sqlite3.Connection:
        """This reader thread's own."""
        if not hasattr(self._local, "connection"):
            self._local.connection = connect(self.path, reading=True)
            self._reading.append(self._local.connection)
        connection: sqlite3.Connection = self._local.connection
        return connection

    def _committed(self, batch: list[Pending]) -> None:
        """On the writer's thread. One wake-up of the loop per transaction."""
        assert self._home is not None, "the writer is started by start"
        self._home.call_soon_threadsafe(self._settle, batch)

    def _settle(self, batch: list[Pending]) -> None:
        """Each in a call of its own, so that one that raises takes none of the others with it."""
        for pending in batch:
            asyncio.get_running_loop().call_soon(pending.settle)


def _claim(path: Path) -> IO[bytes]:
    """A lock that dies with the process: the log counts in memory, so a file has one server."""
    lock = path.with_name(path.name + ".lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise
    return lock


def _nothing(_: sqlite3.Connection) -> None:
    """What `close` waits for: every write before it has been told."""


def _make_versions(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL)"
    )


def _migrate(connection: sqlite3.Connection, component: str, steps: Sequence[str]) -> None:
    row = connection.execute(
        "SELECT version FROM schema_versions WHERE component = ?", (component,)
    ).fetchone()
    for statement in steps[row[0] if row else 0 :]:
        connection.execute(statement)
    connection.execute("INSERT OR REPLACE INTO schema_versions VALUES (?, ?)", (component, len(steps)))
