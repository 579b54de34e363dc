"""One writer, group commit, and nothing said that is not stored."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from signaling.errors import HubbubError
from signaling.storage import writer
from signaling.storage.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(tmp_path / "hubbub.sqlite3")
    await opened.start()
    await opened.migrate("numbers", ["CREATE TABLE numbers (value INTEGER PRIMARY KEY)"])
    yield opened
    await opened.close()


def insert(connection: sqlite3.Connection, value: int) -> int:
    connection.execute("INSERT INTO numbers VALUES (?)", (value,))
    return value


def numbers(connection: sqlite3.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT value FROM numbers ORDER BY value")]


async def test_a_write_answers_after_its_commit(database: Database) -> None:
    assert await database.write(partial(insert, value=7)) == 7
    with sqlite3.connect(database.path) as other:
        assert numbers(other) == [7]
    other.close()


async def test_writes_run_in_the_order_of_the_calls(database: Database) -> None:
    order: list[int] = []

    def note(connection: sqlite3.Connection, value: int) -> None:
        order.append(value)

    await asyncio.gather(*(database.write(partial(note, value=value)) for value in range(500)))
    assert order == list(range(500))


async def test_writes_that_wait_together_share_a_transaction(database: Database) -> None:
    statements: list[str] = []
    await database.write(lambda connection: connection.set_trace_callback(statements.append))
    await asyncio.gather(*(database.write(partial(insert, value=value)) for value in range(200)))
    await database.write(lambda connection: connection.set_trace_callback(None))
    assert await database.read(numbers) == list(range(200))
    assert statements.count("COMMIT") < 50


async def test_a_work_that_raises_is_undone_alone(database: Database) -> None:
    def half(connection: sqlite3.Connection) -> None:
        insert(connection, 1)
        raise KeyError("no")

    done = await asyncio.gather(
        database.write(partial(insert, value=0)),
        database.write(half),
        database.write(partial(insert, value=2)),
        return_exceptions=True,
    )
    assert isinstance(done[1], KeyError)
    assert await database.read(numbers) == [0, 2]


async def test_a_statement_that_fails_is_told_as_unavailable(database: Database) -> None:
    await database.write(partial(insert, value=3))
    with pytest.raises(HubbubError) as refused:
        await database.write(partial(insert, value=3))
    assert refused.value.code == "unavailable"
    assert refused.value.retry


async def test_a_commit_that_fails_is_told_to_all_of_its_works(database: Database) -> None:
    def spoil(connection: sqlite3.Connection) -> None:
        insert(connection, 9)
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    done = await asyncio.gather(
        database.write(partial(insert, value=8)), database.write(spoil), return_exceptions=True
    )
    assert [getattr(failure, "code", failure) for failure in done] == ["unavailable", "unavailable"] or (
        done[0] == 8  # committed before `spoil` was taken up
    )
    assert 9 not in await database.read(numbers)
    assert await database.write(partial(insert, value=10)) == 10


async def test_a_cancelled_writer_does_not_undo_its_write(database: Database) -> None:
    task = asyncio.create_task(database.write(partial(insert, value=5)))
    await asyncio.sleep(0)
    task.cancel()
    await database.write(partial(insert, value=6))
    assert await database.read(numbers) == [5, 6]


async def test_close_commits_what_waits(tmp_path: Path) -> None:
    database = Database(tmp_path / "hubbub.sqlite3")
    await database.start()
    await database.migrate("numbers", ["CREATE TABLE numbers (value INTEGER PRIMARY KEY)"])
    writes = [asyncio.ensure_future(database.write(partial(insert, value=value))) for value in range(100)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*writes) == list(range(100))
    with sqlite3.connect(database.path) as again:
        assert numbers(again) == list(range(100))
    again.close()


async def test_after_close_everything_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "hubbub.sqlite3")
    await database.start()
    await database.close()
    with pytest.raises(HubbubError, match="closed"):
        await database.write(numbers)
    with pytest.raises(HubbubError, match="closed"):
        await database.read(numbers)


async def test_a_file_has_one_server(database: Database) -> None:
    with pytest.raises(BlockingIOError):
        await Database(database.path).start()


async def test_readers_do_not_write(database: Database) -> None:
    with pytest.raises(HubbubError):
        await database.read(partial(insert, value=1))


async def test_migrations_run_once_and_in_order(tmp_path: Path) -> None:
    steps = ["CREATE TABLE letters (value TEXT)", "ALTER TABLE letters ADD COLUMN size INTEGER"]
    for known in (steps[:1], steps, steps):
        database = Database(tmp_path / "hubbub.sqlite3")
        await database.start()
        await database.migrate("letters", known)
        await database.close()
    with sqlite3.connect(database.path) as again:
        columns = [row[1] for row in again.execute("PRAGMA table_info(letters)")]
    again.close()
    assert columns == ["value", "size"]


async def test_too_many_waiting_writes_are_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database._writer._waiting, "maxsize", 10)
    with pytest.raises(HubbubError, match="too slow") as refused:
        await asyncio.gather(*(database.write(partial(insert, value=value)) for value in range(5_000)))
    assert refused.value.retry_after_ms == writer.RETRY_AFTER_MS
