"""Logs in the SQLite file."""

from __future__ import annotations

import heapq
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice

import msgspec

from signaling.cursors import EPOCH_BYTES
from signaling.entry import Draft, Entry, Mark, Page, Stored
from signaling.retention import IDLE_TOPIC_MS, KEY_AGE_MS, KEY_ENTRIES, Retentions
from signaling.storage.database import Database
from signaling.storage.logs import EARLIEST, PAGE_ENTRIES, Appended, Visible, cut
from signaling.storage.memory import revised

SCHEMA = (
    "CREATE TABLE log_facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    # next: offset of the entry to come. trimmed: seq of the newest entry that was deleted.
    "CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, next INTEGER NOT NULL,"
    " last_ms INTEGER NOT NULL, trimmed INTEGER NOT NULL)",
    # AUTOINCREMENT: a seq is never given twice, whatever was deleted.
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY AUTOINCREMENT, topic INTEGER NOT NULL,"
    " offset INTEGER NOT NULL, at_ms INTEGER NOT NULL, type TEXT NOT NULL, data BLOB NOT NULL,"
    " audience BLOB)",
    # The row id is in every index, so this one finds a topic's entries by seq.
    "CREATE INDEX entries_by_topic ON entries (topic)",
    "CREATE UNIQUE INDEX entries_by_offset ON entries (topic, offset)",
    "CREATE TABLE keys (topic INTEGER NOT NULL, sender TEXT NOT NULL, key TEXT NOT NULL,"
    " seq INTEGER NOT NULL, offset INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " PRIMARY KEY (topic, sender, key)) WITHOUT ROWID",
    "CREATE INDEX keys_by_offset ON keys (topic, offset)",
    "CREATE TABLE marks (topic TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (topic, name)) WITHOUT ROWID",
)
COLUMNS = "seq, offset, at_ms, type, data, audience"
# Entries beyond the limit that a topic may have on disk until they are deleted together.
TRIM_EVERY = 64
# Topics that one transaction of `trim` looks at: appends pass between two of them.
TRIM_TOPICS = 200


class SqliteStore:
    """A LogStore."""

    def __init__(self, database: Database, retentions: Retentions) -> None:
        self.epoch = b""
        self._database = database
        self._retentions = retentions

    async def start(self) -> int:
        await self._database.migrate("logs", SCHEMA)
        self.epoch, last = await self._database.write(_open)
        return last

    def append(self, draft: Draft, done: Appended) -> None:
        limit = self._retentions.of(draft.topic).entries
        self._database.submit(partial(self._append, draft=draft, limit=limit), done)

    def _append(self, connection: sqlite3.Connection, draft: Draft, limit: int) -> Stored:
        topic, following, last_ms = _topic(connection, draft.topic)
        if draft.key is not None and (known := _known(connection, draft)):
            return Stored(self._first(draft, known), fresh=False)
        # Never backwards in one topic, so that the old ones are always at its beginning.
        at_ms = max(last_ms, draft.at_ms)
        data, to, changed = revised(draft, partial(self._find, connection, draft.topic, topic), following)
        audience = None if to is None else msgspec.json.encode(to)
        seq = connection.execute(
            "INSERT INTO entries (topic, offset, at_ms, type, data, audience) VALUES (?, ?, ?, ?, ?, ?)",
            (topic, following, at_ms, draft.type, data, audience),
        ).lastrowid
        assert seq is not None, "an INSERT into a table with a row id has one"
        connection.execute(
            "UPDATE topics SET next = ?, last_ms = ? WHERE id = ?", (following + 1, at_ms, topic)
        )
        for correction in changed:
            connection.execute("UPDATE entries SET data = ? WHERE seq = ?", (correction.data, correction.seq))
        if draft.key is not None:
            connection.execute(
                "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?)",
                (topic, draft.sender, draft.key, seq, following, at_ms),
            )
        if draft.mark is not None:
            _note(connection, draft.topic, draft.mark)
        if following % TRIM_EVERY == 0:
            _delete_before(connection, topic, following + 1 - limit)
        entry = Entry(draft.topic, following, at_ms, draft.type, msgspec.Raw(data), to, self.epoch, seq)
        return Stored(entry, fresh=True, changed=changed)

    def _first(self, draft: Draft, known: tuple[int, int, int]) -> Entry:
        """Place and time of the entry that a key was first used for; the entry itself may be gone."""
        seq, offset, at_ms = known
        return Entry(
            draft.topic, offset, at_ms, draft.type, msgspec.Raw(draft.data), draft.to, self.epoch, seq
        )

    def _find(self, connection: sqlite3.Connection, name: str, topic: int, offset: int) -> Entry | None:
        row = connection.execute(
            f"SELECT {COLUMNS} FROM entries WHERE topic = ? AND offset = ?", (topic, offset)
        ).fetchone()
        return None if row is None else self._entry(name, row)

    async def known(self, topic: str, sender: str, key: str, now_ms: int) -> Entry | None:
        draft = Draft(topic, "", b"null", now_ms, key=key, sender=sender)
        found = await self._database.read(partial(_known, draft=draft))
        return None if found is None else self._first(draft, found)

    async def read(self, after: Mapping[str, int], now_ms: int, limit: int = PAGE_ENTRIES) -> Page:
        return await self._database.read(partial(self._read, after=dict(after), now_ms=now_ms, limit=limit))

    def _read(
        self, connection: sqlite3.Connection, after: Mapping[str, int], now_ms: int, limit: int
    ) -> Page:
        gaps: set[str] = set()
        runs: list[Iterator[Entry]] = []
        forgotten = _fact(connection, "forgotten")
        for name, position in after.items():
            topic = connection.execute(
                "SELECT id, next, trimmed FROM topics WHERE name = ?", (name,)
            ).fetchone()
            if topic is None:
                lost = forgotten > position
            else:
                first = _first_shown(connection, topic[0], *self._bounds(name, topic[1], now_ms))
                lost = topic[2] > position or _has_before(connection, topic[0], position, first)
                runs.append(self._behind(connection, name, topic[0], position, first))
            if lost and position != EARLIEST:
                gaps.add(name)
        return self._page(connection, heapq.merge(*runs, key=_seq), limit, frozenset(gaps))

    async def scan(self, prefix: str, after: int, limit: int = PAGE_ENTRIES) -> Page:
        return await self._database.read(partial(self._scan, prefix=prefix, after=after, limit=limit))

    def _scan(self, connection: sqlite3.Connection, prefix: str, after: int, limit: int) -> Page:
        rows = connection.execute(
            f"SELECT topics.name, {', '.join(f'entries.{name}' for name in COLUMNS.split(', '))} FROM entries"
            " JOIN topics ON topics.id = entries.topic WHERE seq > ? ORDER BY seq",
            (after,),
        )
        entries = (self._entry(row[0], row[1:]) for row in rows if row[0].startswith(prefix))
        return self._page(connection, entries, limit, frozenset())

    def _page(
        self, connection: sqlite3.Connection, entries: Iterator[Entry], limit: int, gaps: frozenset[str]
    ) -> Page:
        taken = cut(entries, limit)
        complete = next(entries, None) is None
        return Page(taken, gaps, _last_seq(connection) if complete else taken[-1].seq, complete)

    async def history(
        self, topic: str, before: int | None, limit: int, visible: Visible, now_ms: int
    ) -> tuple[list[Entry], bool]:
        def work(connection: sqlite3.Connection) -> list[Entry]:
            row = connection.execute("SELECT id, next FROM topics WHERE name = ?", (topic,)).fetchone()
            if row is None:
                return []
            first = _first_shown(connection, row[0], *self._bounds(topic, row[1], now_ms))
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM entries WHERE topic = ? AND offset >= ? AND offset < ?"
                " ORDER BY offset DESC",
                (row[0], first, row[1] if before is None else before),
            )
            return list(islice((e for row in rows if visible(e := self._entry(topic, row))), limit + 1))

        found = await self._database.read(work)
        return found[limit - 1 :: -1] if len(found) > limit else found[::-1], len(found) > limit

    async def marks(self) -> list[tuple[str, str]]:
        return await self._database.read(
            lambda connection: connection.execute("SELECT topic, name FROM marks").fetchall()
        )

    async def trim(self, now_ms: int) -> None:
        after: int | None = 0
        while after is not None:
            after = await self._database.write(partial(self._trim, after=after, now_ms=now_ms))

    def _trim(self, connection: sqlite3.Connection, after: int, now_ms: int) -> int | None:
        """The next topics behind id `after`; answers the last one's id, None when there are no more."""
        topics = connection.execute(
            "SELECT id, name, next, last_ms FROM topics WHERE id > ? ORDER BY id LIMIT ?",
            (after, TRIM_TOPICS),
        ).fetchall()
        for topic, name, following, last_ms in topics:
            first = _first_shown(connection, topic, *self._bounds(name, following, now_ms))
            _delete_before(connection, topic, first)
            connection.execute(
                "DELETE FROM keys WHERE topic = ? AND (offset < ? OR at_ms < ?)",
                (topic, following - KEY_ENTRIES, now_ms - KEY_AGE_MS),
            )
            if first == following and last_ms < now_ms - IDLE_TOPIC_MS:
                _forget(connection, topic, name)
        return topics[-1][0] if topics else None

    def _bounds(self, name: str, following: int, now_ms: int) -> tuple[int, int, int]:
        """(offset of the entry to come, lowest offset by count, oldest time) of what is shown."""
        oldest_ms = self._retentions.oldest_ms(name, now_ms)
        return following, following - self._retentions.of(name).entries, oldest_ms

    def _behind(
        self, connection: sqlite3.Connection, name: str, topic: int, position: int, first: int
    ) -> Iterator[Entry]:
        """Lazily, so that a page takes from disk only what it answers."""
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM entries INDEXED BY entries_by_topic"
            " WHERE topic = ? AND seq > ? ORDER BY seq",
            (topic, position),
        )
        return (self._entry(name, row) for row in rows if row[1] >= first)

    def _entry(self, topic: str, row: tuple[int, int, int, str, bytes, bytes | None]) -> Entry:
        seq, offset, at_ms, kind, data, audience = row
        to = None if audience is None else msgspec.json.decode(audience, type=tuple[str, ...])
        return Entry(topic, offset, at_ms, kind, msgspec.Raw(data), to, self.epoch, seq)


def _seq(entry: Entry) -> int:
    return entry.seq


def _open(connection: sqlite3.Connection) -> tuple[bytes, int]:
    """Epoch and last seq of the file."""
    facts = [("epoch", secrets.token_bytes(EPOCH_BYTES)), ("forgotten", 0)]
    connection.executemany("INSERT OR IGNORE INTO log_facts VALUES (?, ?)", facts)
    epoch = connection.execute("SELECT value FROM log_facts WHERE name = 'epoch'").fetchone()[0]
    return epoch, _last_seq(connection)


def _fact(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute("SELECT value FROM log_facts WHERE name = ?", (name,)).fetchone()[0]
    return value


def _last_seq(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
    return 0 if row is None else int(row[0])


def _topic(connection: sqlite3.Connection, name: str) -> tuple[int, int, int]:
    """(id, next, last_ms), made where it is missing."""
    row: tuple[int, int, int] | None = connection.execute(
        "SELECT id, next, last_ms FROM topics WHERE name = ?", (name,)
    ).fetchone()
    if row is not None:
        return row
    added = connection.execute(
        "INSERT INTO topics (name, next, last_ms, trimmed) VALUES (?, 0, 0, ?)",
        (name, _fact(connection, "forgotten")),
    )
    assert added.lastrowid is not None, "an INSERT into a table with a row id has one"
    return added.lastrowid, 0, 0


def _known(connection: sqlite3.Connection, draft: Draft) -> tuple[int, int, int] | None:
    row: tuple[int, int, int] | None = connection.execute(
        "SELECT keys.seq, keys.offset, keys.at_ms FROM keys JOIN topics ON topics.id = keys.topic"
        " WHERE topics.name = ? AND sender = ? AND key = ? AND at_ms >= ?",
        (draft.topic, draft.sender, draft.key, draft.at_ms - KEY_AGE_MS),
    ).fetchone()
    return row


def _note(connection: sqlite3.Connection, topic: str, mark: Mark) -> None:
    statement = "INSERT OR IGNORE INTO marks VALUES (?, ?)"
    if not mark.open:
        statement = "DELETE FROM marks WHERE topic = ? AND name = ?"
    connection.execute(statement, (topic, mark.name))


def _first_shown(
    connection: sqlite3.Connection, topic: int, following: int, lowest: int, oldest_ms: int
) -> int:
    """Offset of the first entry that is neither too many nor too old; `following` when there is none."""
    row = connection.execute(
        "SELECT offset FROM entries WHERE topic = ? AND offset >= ? AND at_ms >= ? ORDER BY offset LIMIT 1",
        (topic, lowest, oldest_ms),
    ).fetchone()
    return following if row is None else int(row[0])


def _has_before(connection: sqlite3.Connection, topic: int, position: int, first: int) -> bool:
    """Whether an entry behind `position` is still there but not shown any more."""
    row = connection.execute(
        "SELECT offset FROM entries WHERE topic = ? AND seq > ? ORDER BY seq LIMIT 1", (topic, position)
    ).fetchone()
    return row is not None and int(row[0]) < first


def _delete_before(connection: sqlite3.Connection, topic: int, first: int) -> None:
    newest = connection.execute(
        "SELECT seq FROM entries WHERE topic = ? AND offset < ? ORDER BY offset DESC LIMIT 1", (topic, first)
    ).fetchone()
    if newest is not None:
        connection.execute("DELETE FROM entries WHERE topic = ? AND offset < ?", (topic, first))
        connection.execute("UPDATE topics SET trimmed = ? WHERE id = ?", (newest[0], topic))


def _forget(connection: sqlite3.Connection, topic: int, name: str) -> None:
    """Delete an empty topic; what it had lost counts for whoever asks for it again."""
    if connection.execute("SELECT 1 FROM marks WHERE topic = ?", (name,)).fetchone():
        return
    connection.execute(
        "UPDATE log_facts SET value = max(value, (SELECT trimmed FROM topics WHERE id = ?))"
        " WHERE name = 'forgotten'",
        (topic,),
    )
    connection.execute("DELETE FROM keys WHERE topic = ?", (topic,))
    connection.execute("DELETE FROM topics WHERE id = ?", (topic,))
