"""What webhooks have still to be told, and what could not be told, in the SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import partial

import msgspec

from signaling.storage.database import Database

SCHEMA = (
    # position: seq of the newest entry that was taken over into the queue.
    "CREATE TABLE webhook_cursors (url TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE webhook_queue (url TEXT NOT NULL, topic TEXT NOT NULL, seq INTEGER NOT NULL,"
    " event BLOB NOT NULL, queued_ms INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,"
    " due_ms INTEGER NOT NULL DEFAULT 0, error TEXT, PRIMARY KEY (url, topic, seq)) WITHOUT ROWID",
    "CREATE TABLE webhook_dead (id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT NOT NULL, topic TEXT NOT NULL,"
    " seq INTEGER NOT NULL, event BLOB NOT NULL, attempts INTEGER NOT NULL, error TEXT, dead_ms INTEGER NOT NULL)",
)
# Entries that one transaction takes over: appends pass between two of them.
TRANSFER = 500
# Events that one URL may have waiting; the oldest beyond that are dead letters at once.
MAX_QUEUED = 100_000
# Dead letters that are kept; the oldest beyond that are gone.
MAX_DEAD = 100_000


class Queued(msgspec.Struct, frozen=True):
    """The oldest event of a topic that a URL has not taken yet. `event` is its JSON."""

    topic: str
    seq: int
    event: bytes
    queued_ms: int
    attempts: int
    due_ms: int


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that was given up."""

    id: int
    url: str
    event: msgspec.Raw
    attempts: int
    error: str | None
    dead_ms: int


class WebhookStore:
    """All times are Unix milliseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self, urls: Iterable[str]) -> None:
        """A URL that was never told anything is told what comes from now on."""
        await self._database.migrate("webhooks", SCHEMA)

        def work(connection: sqlite3.Connection) -> None:
            last = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'entries'), 0)"
            for url in urls:
                connection.execute(f"INSERT OR IGNORE INTO webhook_cursors VALUES (?, ({last}))", (url,))

        await self._database.write(work)

    async def transfer(self, url: str, prefix: str, now_ms: int) -> bool:
        """Take over new entries of topics that begin with `prefix`. Answers whether there may be more.

        Entries and the cursor behind them in one transaction: none is lost, none comes twice.
        """
        return await self._database.write(partial(_transfer, url=url, prefix=prefix, now_ms=now_ms))

    async def heads(self, url: str) -> list[Queued]:
        """Per topic the oldest event that waits."""

        def work(connection: sqlite3.Connection) -> list[Queued]:
            rows = connection.execute(
                "SELECT topic, min(seq), event, queued_ms, attempts, due_ms FROM webhook_queue"
                " WHERE url = ? GROUP BY topic",
                (url,),
            )
            return [Queued(*row) for row in rows]

        return await self._database.read(work)

    async def head(self, url: str, topic: str) -> Queued | None:
        def work(connection: sqlite3.Connection) -> Queued | None:
            row = connection.execute(
                "SELECT topic, seq, event, queued_ms, attempts, due_ms FROM webhook_queue"
                " WHERE url = ? AND topic = ? ORDER BY seq LIMIT 1",
                (url, topic),
            ).fetchone()
            return None if row is None else Queued(*row)

        return await self._database.read(work)

    async def delivered(self, url: str, queued: Queued) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _remove(connection, url, queued)

        await self._database.write(work)

    async def postpone(self, url: str, queued: Queued, due_ms: int, error: str) -> None:
        """An attempt failed; the next is due at `due_ms`."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE webhook_queue SET attempts = attempts + 1, due_ms = ?, error = ?"
                " WHERE url = ? AND topic = ? AND seq = ?",
                (due_ms, error, url, queued.topic, queued.seq),
            )

        await self._database.write(work)

    async def give_up(self, url: str, queued: Queued, now_ms: int, error: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _remove(connection, url, queued)
            connection.execute(
                "INSERT INTO webhook_dead (url, topic, seq, event, attempts, error, dead_ms)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (url, queued.topic, queued.seq, queued.event, queued.attempts + 1, error, now_ms),
            )
            _bound_dead(connection)

        await self._database.write(work)

    async def counts(self) -> dict[str, tuple[int, int, str | None]]:
        """Per URL: events that wait, dead letters, and the newest error of those that wait."""

        def work(connection: sqlite3.Connection) -> dict[str, tuple[int, int, str | None]]:
            rows = connection.execute(
                "SELECT url, (SELECT count(*) FROM webhook_queue q WHERE q.url = c.url),"
                " (SELECT count(*) FROM webhook_dead d WHERE d.url = c.url),"
                " (SELECT error FROM webhook_queue q WHERE q.url = c.url AND error IS NOT NULL"
                "  ORDER BY due_ms DESC LIMIT 1) FROM webhook_cursors c"
            )
            return {url: (waiting, dead, error) for url, waiting, dead, error in rows}

        return await self._database.read(work)

    async def dead(self, before: int | None, limit: int) -> list[DeadLetter]:
        """Newest first; `before` is the id of the last one of the page before."""

        def work(connection: sqlite3.Connection) -> list[DeadLetter]:
            rows = connection.execute(
                "SELECT id, url, event, attempts, error, dead_ms FROM webhook_dead"
                " WHERE ? IS NULL OR id < ? ORDER BY id DESC LIMIT ?",
                (before, before, limit),
            )
            return [DeadLetter(number, url, msgspec.Raw(event), *rest) for number, url, event, *rest in rows]

        return await self._database.read(work)

    async def replay(self, letter: int | None, now_ms: int) -> int:
        """Queue a dead letter again, all of them where that is None; answers how many there were."""

        def work(connection: sqlite3.Connection) -> int:
            moved = connection.execute(
                "INSERT OR IGNORE INTO webhook_queue (url, topic, seq, event, queued_ms)"
                " SELECT url, topic, seq, event, ? FROM webhook_dead WHERE ? IS NULL OR id = ?",
                (now_ms, letter, letter),
            ).rowcount
            connection.execute("DELETE FROM webhook_dead WHERE ? IS NULL OR id = ?", (letter, letter))
            return moved

        return await self._database.write(work)


def _remove(connection: sqlite3.Connection, url: str, queued: Queued) -> None:
    connection.execute(
        "DELETE FROM webhook_queue WHERE url = ? AND topic = ? AND seq = ?", (url, queued.topic, queued.seq)
    )


def _transfer(connection: sqlite3.Connection, url: str, prefix: str, now_ms: int) -> bool:
    (position,) = connection.execute("SELECT position FROM webhook_cursors WHERE url = ?", (url,)).fetchone()
    rows = connection.execute(
        "SELECT seq, name, offset, at_ms, type, data FROM entries JOIN topics ON topics.id = entries.topic"
        " WHERE seq > ? ORDER BY seq LIMIT ?",
        (position, TRANSFER),
    ).fetchall()
    events = [
        (url, topic, seq, _event(topic, *rest), now_ms)
        for seq, topic, *rest in rows
        if topic.startswith(prefix)
    ]
    connection.executemany(
        "INSERT INTO webhook_queue (url, topic, seq, event, queued_ms) VALUES (?, ?, ?, ?, ?)", events
    )
    if rows:
        connection.execute("UPDATE webhook_cursors SET position = ? WHERE url = ?", (rows[-1][0], url))
        _bound_queue(connection, url, now_ms)
    return len(rows) == TRANSFER


def _event(topic: str, offset: int, at_ms: int, kind: str, data: bytes) -> bytes:
    """What is posted. `id` is the same at every attempt."""
    event = {
        "id": f"{topic}#{offset}@{at_ms}",
        "type": kind,
        "topic": topic,
        "offset": offset,
        "at_ms": at_ms,
        "data": msgspec.Raw(data),
    }
    return msgspec.json.encode(event)


def _bound_queue(connection: sqlite3.Connection, url: str, now_ms: int) -> None:
    (waiting,) = connection.execute("SELECT count(*) FROM webhook_queue WHERE url = ?", (url,)).fetchone()
    if waiting <= MAX_QUEUED:
        return
    oldest = "SELECT topic, seq FROM webhook_queue WHERE url = ? ORDER BY seq LIMIT ?"
    connection.execute(
        "INSERT INTO webhook_dead (url, topic, seq, event, attempts, error, dead_ms)"
        " SELECT url, topic, seq, event, attempts, 'too many events were waiting', ? FROM webhook_queue"
        f" WHERE url = ? AND (topic, seq) IN ({oldest})",
        (now_ms, url, url, waiting - MAX_QUEUED),
    )
    connection.execute(
        f"DELETE FROM webhook_queue WHERE url = ? AND (topic, seq) IN ({oldest})",
        (url, url, waiting - MAX_QUEUED),
    )
    _bound_dead(connection)


def _bound_dead(connection: sqlite3.Connection) -> None:
    connection.execute(
        "DELETE FROM webhook_dead WHERE id <= (SELECT max(id) FROM webhook_dead) - ?", (MAX_DEAD,)
    )
