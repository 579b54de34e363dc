"""The one thread that writes to the SQLite file, with group commit.

A transaction takes everything that waits when it begins; what arrives while it commits waits for the next
one. So a lone write pays one fsync and a thousand at once share it, and no timer adds a delay.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from signaling.errors import HubbubError, unavailable
from signaling.storage.connecting import connect

# Works that may wait for the disk, beyond which new ones are refused (unavailable). At the thousands of works
# a second that one thread does, this is seconds of a stalled disk.
MAX_WAITING = 10_000
# Works per transaction: bounds how long the first of them waits for the last.
MAX_BATCH = 1_000
BATCH_SAVEPOINT = "work"
RETRY_AFTER_MS = 1_000

Work = Callable[[sqlite3.Connection], Any]
Done = Callable[[Any, Exception | None], None]


class Pending:
    """A work, what it answered, and who is told after the COMMIT."""

    __slots__ = ("done", "failure", "result", "work")

    def __init__(self, work: Work, done: Done) -> None:
        self.work = work
        self.done = done
        self.result: Any = None
        self.failure: Exception | None = None

    def settle(self) -> None:
        self.done(self.result, self.failure)


class Writer:
    """`deliver` is called on the thread after each transaction, with its works in order."""

    def __init__(self, path: Path, deliver: Callable[[list[Pending]], None]) -> None:
        self._path = path
        self._deliver = deliver
        self._waiting: queue.Queue[Pending | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="storage", daemon=True)
        self._opened = threading.Event()
        self._failure: Exception | None = None

    def start(self) -> None:
        """Blocks until the file is open. Raises sqlite3.Error when it cannot be."""
        self._thread.start()
        self._opened.wait()
        if self._failure is not None:
            raise self._failure

    def put(self, work: Work, done: Done) -> None:
        """Order of calls is order of execution. Raises HubbubError unavailable when too many wait."""
        try:
            self._waiting.put_nowait(Pending(work, done))
        except queue.Full:
            raise unavailable("storage is too slow for what is asked of it", RETRY_AFTER_MS) from None

    def close(self) -> None:
        """Blocks until everything that waits is committed."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            connection = connect(self._path)
        except sqlite3.Error as error:
            self._failure = error
            return
        finally:
            self._opened.set()
        try:
            while (batch := self._gather()) is not None:
                _perform(connection, batch)
                self._deliver(batch)
        finally:
            connection.close()

    def _gather(self) -> list[Pending] | None:
        """Everything that waits, at least one; None when the writer is to end."""
        first = self._waiting.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                pending = self._waiting.get_nowait()
            except queue.Empty:
                break
            if pending is None:
                # Nothing is put behind the end, so it is met again as the first of the next batch.
                self._waiting.put_nowait(None)
                break
            batch.append(pending)
        return batch


def _perform(connection: sqlite3.Connection, batch: list[Pending]) -> None:
    """One transaction. A work that fails is undone alone; when the COMMIT fails, all have failed."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        for pending in batch:
            _attempt(connection, pending)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for pending in batch:
            pending.result = None
            pending.failure = pending.failure or refusal(error)


def _attempt(connection: sqlite3.Connection, pending: Pending) -> None:
    connection.execute(f"SAVEPOINT {BATCH_SAVEPOINT}")
    try:
        pending.result = pending.work(connection)
    except Exception as error:
        # Whatever it is, it belongs to who asked for the work: it is raised there, not on this thread.
        pending.failure = refusal(error) if isinstance(error, sqlite3.Error) else error
        if not connection.in_transaction:
            # A full disk makes SQLite give up the whole transaction, not the statement alone.
            raise sqlite3.OperationalError("the transaction was given up") from error
        connection.execute(f"ROLLBACK TO {BATCH_SAVEPOINT}")
    connection.execute(f"RELEASE {BATCH_SAVEPOINT}")


def refusal(error: sqlite3.Error) -> HubbubError:
    """What clients are told of a file that cannot be read or written."""
    refused = unavailable("storage failed; nothing was changed", RETRY_AFTER_MS)
    refused.__cause__ = error
    return refused
