"""A Database whose threads are the test's: every commit, every answer happens when it is told to.

SQL and SQLite are the real ones. What the threads of signaling/storage/database.py may do in between, the test
may do here: commit before it tells, read before a commit and answer behind it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from signaling.storage.connecting import connect
from signaling.storage.database import _make_versions, _migrate
from signaling.storage.writer import Done, Pending, _perform

T = TypeVar("T")


class SteppedDatabase:
    def __init__(self, path: Path) -> None:
        self._writing = connect(path)
        self._reading = connect(path, reading=True)
        for connection in (self._writing, self._reading):
            connection.execute("PRAGMA synchronous=OFF")
        _make_versions(self._writing)
        self._waiting: deque[Pending] = deque()
        self._committed: deque[Pending] = deque()
        self._reads: deque[tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]] = deque()
        self._read: deque[tuple[Any, asyncio.Future[Any]]] = deque()

    @property
    def idle(self) -> bool:
        return not (self._waiting or self._committed or self._reads or self._read)

    def commit(self, most: int) -> None:
        """One transaction, of which nobody is told yet."""
        batch = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        if batch:
            _perform(self._writing, batch)
            self._committed.extend(batch)

    def tell(self, most: int) -> None:
        """Tell of that many works that were committed."""
        for _ in range(min(most, len(self._committed))):
            self._committed.popleft().settle()

    def look(self, most: int) -> None:
        """Run that many reads; their answers wait."""
        for _ in range(min(most, len(self._reads))):
            work, answer = self._reads.popleft()
            self._read.append((work(self._reading), answer))

    def answer(self, most: int) -> None:
        for _ in range(min(most, len(self._read))):
            result, answer = self._read.popleft()
            if not answer.done():
                answer.set_result(result)

    # -- what a Database offers

    async def migrate(self, component: str, steps: Sequence[str]) -> None:
        _migrate(self._writing, component, steps)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def done(result: T, failure: Exception | None) -> None:
            if failure is not None:
                answer.set_exception(failure)
            else:
                answer.set_result(result)

        self.submit(work, done)
        return await answer

    def submit(self, work: Callable[[sqlite3.Connection], Any], done: Done) -> None:
        self._waiting.append(Pending(work, done))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._reads.append((work, answer))
        return await answer

    async def close(self) -> None:
        self._writing.close()
        self._reading.close()
