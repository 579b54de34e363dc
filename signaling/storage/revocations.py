"""Where revocations are kept over restarts."""

from __future__ import annotations

import sqlite3

from signaling.revocations import Revocation
from signaling.storage.database import Database

SCHEMA = (
    "CREATE TABLE revocations (kind TEXT, value TEXT, at REAL, until REAL, PRIMARY KEY (kind, value))"
    " WITHOUT ROWID",
)


class RevocationStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, now: float) -> list[Revocation]:
        """Everything that is still of use at Unix time `now`; the rest is deleted."""
        await self._database.migrate("revocations", SCHEMA)

        def work(connection: sqlite3.Connection) -> list[Revocation]:
            connection.execute("DELETE FROM revocations WHERE until <= ?", (now,))
            return [Revocation(*row) for row in connection.execute("SELECT * FROM revocations")]

        return await self._database.write(work)

    async def add(self, entry: Revocation) -> None:
        def work(connection: sqlite3.Connection) -> None:
            row = (entry.kind, entry.value, entry.at, entry.until)
            connection.execute("INSERT OR REPLACE INTO revocations VALUES (?, ?, ?, ?)", row)

        await self._database.write(work)
