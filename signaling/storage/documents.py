"""Documents on disk: for each a snapshot, the numbered updates behind it, and versions that people keep."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from signaling.errors import not_found
from signaling.storage.database import Database

STEPS = (
    """CREATE TABLE documents (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
        snapshot BLOB NOT NULL DEFAULT x'', through INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE document_updates (
        document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
        number INTEGER NOT NULL, content BLOB NOT NULL,
        PRIMARY KEY (document, number)) WITHOUT ROWID""",
    """CREATE TABLE document_versions (
        id TEXT PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
        label TEXT, author TEXT, automatic INTEGER NOT NULL, at_ms INTEGER NOT NULL, content BLOB NOT NULL)""",
    "CREATE INDEX document_versions_by_document ON document_versions (document, at_ms)",
)


class Stored(msgspec.Struct, frozen=True):
    """A document as it was committed. `snapshot` is empty or one update that holds all up to `through`."""

    snapshot: bytes = b""
    through: int = 0
    updates: tuple[tuple[int, bytes], ...] = ()

    @property
    def last(self) -> int:
        return self.updates[-1][0] if self.updates else self.through

    @property
    def size(self) -> int:
        return len(self.snapshot) + sum(len(content) for _, content in self.updates)


class Version(msgspec.Struct, frozen=True):
    id: str
    label: str | None
    author: str | None
    automatic: bool
    at_ms: int
    size: int


class Append(msgspec.Struct, frozen=True, gc=False):
    name: str
    number: int
    content: bytes


class DocumentStore:
    """Every method raises HubbubError unavailable when storage fails."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.path = database.path

    async def start(self) -> None:
        await self._database.migrate("documents", STEPS)

    async def load(self, name: str) -> Stored | None:
        return await self._database.read(partial(load, name=name))

    def append(self, entries: Sequence[Append], done: Callable[[Exception | None], None]) -> None:
        """`done` is called after the COMMIT, with the failure if there was one."""
        self._database.submit(partial(_append, entries=entries), lambda _, failure: done(failure))

    async def compact(self, name: str, snapshot: bytes, through: int, kept: frozenset[int]) -> None:
        """Replace the updates up to `through` by `snapshot`, but for those numbered in `kept`."""
        await self._database.write(partial(compact, name=name, snapshot=snapshot, through=through, kept=kept))

    async def delete(self, name: str) -> bool:
        """Updates and versions go with it. Answers whether there was such a document."""
        return await self._database.write(partial(_delete, name=name))

    async def add_version(self, name: str, version: Version, content: bytes) -> None:
        await self._database.write(partial(_add_version, name=name, version=version, content=content))

    async def versions(self, name: str) -> list[Version]:
        """Newest first."""
        return await self._database.read(partial(_versions, name=name))

    async def version(self, name: str, id: str) -> tuple[Version, bytes]:
        """Raises HubbubError not_found."""
        return await self._database.read(partial(_version, name=name, id=id))

    async def retain(self, name: str, automatic: int) -> None:
        """Keep every named version and the newest `automatic` of those that nobody asked for."""
        await self._database.write(partial(_retain, name=name, automatic=automatic))


def load(connection: sqlite3.Connection, name: str) -> Stored | None:
    """For a thread or process that has a connection of its own."""
    row = connection.execute("SELECT id, snapshot, through FROM documents WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    updates = connection.execute(
        "SELECT number, content FROM document_updates WHERE document = ? ORDER BY number", (row[0],)
    ).fetchall()
    return Stored(row[1], row[2], tuple(updates))


def _append(connection: sqlite3.Connection, entries: Sequence[Append]) -> None:
    ids = {name: _id(connection, name) for name in {entry.name for entry in entries}}
    connection.executemany(
        "INSERT INTO document_updates VALUES (?, ?, ?)",
        [(ids[entry.name], entry.number, entry.content) for entry in entries],
    )


def _id(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT id FROM documents WHERE name = ?", (name,)).fetchone()
    if row is None:
        row = connection.execute("INSERT INTO documents (name) VALUES (?) RETURNING id", (name,)).fetchone()
    return int(row[0])


def compact(
    connection: sqlite3.Connection, name: str, snapshot: bytes, through: int, kept: frozenset[int]
) -> None:
    id = _id(connection, name)
    kept_rows = [
        row
        for number in kept
        for row in connection.execute(
            "SELECT document, number, content FROM document_updates WHERE document = ? AND number = ?",
            (id, number),
        )
    ]
    connection.execute(
        "UPDATE documents SET snapshot = ?, through = ? WHERE id = ? AND through <= ?",
        (snapshot, through, id, through),
    )
    connection.execute("DELETE FROM document_updates WHERE document = ? AND number <= ?", (id, through))
    connection.executemany("INSERT INTO document_updates VALUES (?, ?, ?)", kept_rows)


def _delete(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("DELETE FROM documents WHERE name = ?", (name,)).rowcount > 0


def _add_version(connection: sqlite3.Connection, name: str, version: Version, content: bytes) -> None:
    connection.execute(
        "INSERT INTO document_versions VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            version.id,
            _id(connection, name),
            version.label,
            version.author,
            version.automatic,
            version.at_ms,
            content,
        ),
    )


_COLUMNS = "v.id, v.label, v.author, v.automatic, v.at_ms, length(v.content)"
_OF = "FROM document_versions v JOIN documents d ON d.id = v.document WHERE d.name = ?"


def _versions(connection: sqlite3.Connection, name: str) -> list[Version]:
    rows = connection.execute(f"SELECT {_COLUMNS} {_OF} ORDER BY v.at_ms DESC, v.rowid DESC", (name,))
    return [Version(row[0], row[1], row[2], bool(row[3]), row[4], row[5]) for row in rows]


def _version(connection: sqlite3.Connection, name: str, id: str) -> tuple[Version, bytes]:
    row = connection.execute(f"SELECT {_COLUMNS}, v.content {_OF} AND v.id = ?", (name, id)).fetchone()
    if row is None:
        raise not_found("this document has no version of that id")
    return Version(row[0], row[1], row[2], bool(row[3]), row[4], row[5]), row[6]


def _retain(connection: sqlite3.Connection, name: str, automatic: int) -> None:
    connection.execute(
        f"DELETE FROM document_versions WHERE id IN (SELECT v.id {_OF} AND v.automatic"
        " ORDER BY v.at_ms DESC, v.rowid DESC LIMIT -1 OFFSET ?)",
        (name, automatic),
    )
