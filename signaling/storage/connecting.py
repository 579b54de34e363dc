"""Connections to the SQLite file, all set up alike."""

from __future__ import annotations

import sqlite3
from pathlib import Path

# Only our own threads use the file, and only one of them writes: this is for tools that look at it.
BUSY_SECONDS = 5.0
# A page cache per connection, in KiB (negative: SQLite's way to say KiB instead of pages).
CACHE_KIB = -8_192


def connect(path: Path, *, reading: bool = False) -> sqlite3.Connection:
    """Transactions are begun by hand. `reading` connections cannot write. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    # FULL makes every COMMIT wait for the disk: an acknowledged write survives power loss, not only kill -9.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA cache_size={CACHE_KIB}")
    connection.execute("PRAGMA foreign_keys=ON")
    if reading:
        connection.execute("PRAGMA query_only=ON")
    return connection
