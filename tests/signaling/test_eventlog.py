"""What the log promises one call at a time; interleavings are in test_eventlog_machine.py."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from signaling import attendance
from signaling.cursors import cursor_of
from signaling.entry import Entry, Revision
from signaling.errors import HubbubError, not_found
from signaling.eventlog import FROM_EARLIEST, EventLog
from signaling.retention import DAY_MS, IDLE_TOPIC_MS, KEY_AGE_MS, Retention, Retentions
from signaling.storage.database import Database


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["disk", "memory"])
async def log(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[EventLog]:
    retentions = Retentions([Retention("short/*", entries=3), Retention("brief/*", age_ms=1_000)])
    database = Database(tmp_path / "log.sqlite3") if request.param == "disk" else None
    if database is not None:
        await database.start()
    log = EventLog(database, clock=clock, retentions=retentions)
    await log.start()
    yield log
    await log.close()
    if database is not None:
        await database.close()


async def offsets(log: EventLog, topic: str, **query: Any) -> list[int]:
    return [entry.offset for entry in (await log.history(topic, **query))[0]]


async def test_offsets_count_per_topic_from_zero(log: EventLog) -> None:
    for topic in ("a", "b"):
        assert [(await log.append(topic, "x", None)).offset for _ in range(3)] == [0, 1, 2]


async def test_the_order_of_calls_is_the_order_of_offsets(log: EventLog) -> None:
    entries = await asyncio.gather(*(log.append("a", "x", number) for number in range(100)))
    assert [entry.offset for entry in entries] == list(range(100))


async def test_followers_were_told_before_append_answers(log: EventLog) -> None:
    told: list[Entry] = []
    await log.follow({"a": None}, told.append)
    entry = await log.append("a", "x", {"n": 1})
    assert told == [entry]


async def test_a_cancelled_append_is_still_told(log: EventLog) -> None:
    told: list[Entry] = []
    await log.follow({"a": None}, told.append)
    appending = asyncio.create_task(log.append("a", "x", 1))
    await asyncio.sleep(0)
    appending.cancel()
    await log.append("a", "x", 2)
    assert [entry.offset for entry in told] == [0, 1]


async def test_a_follower_that_fails_keeps_nothing_from_the_others(log: EventLog) -> None:
    def broken(entry: Entry) -> None:
        raise ValueError(entry.offset)

    told: list[Entry] = []
    await log.follow({"a": None}, broken)
    await log.follow({"a": None}, told.append)
    await log.append("a", "x", 1)
    await log.append("a", "x", 2)
    assert [entry.offset for entry in told] == [0, 1]


async def test_a_closed_follower_is_told_nothing_more(log: EventLog) -> None:
    told: list[Entry] = []
    follower = await log.follow({"a": None, "b": None}, told.append)
    follower.close()
    follower.close()
    await log.append("a", "x", 1)
    assert told == []


async def test_a_key_is_remembered_per_sender_topic_and_day(log: EventLog, clock: Clock) -> None:
    first = await log.append("a", "x", 1, key="k", sender="ann")
    clock.now += 5
    again = await log.append("a", "x", 2, key="k", sender="ann")
    assert (again.offset, again.at_ms, again.cursor) == (first.offset, first.at_ms, first.cursor)
    assert (await log.append("a", "x", 3, key="k", sender="bob")).offset == 1
    assert (await log.append("b", "x", 3, key="k", sender="ann")).offset == 0
    assert (await log.append("a", "x", 3, sender="ann")).offset == 2
    clock.now += KEY_AGE_MS / 1000
    assert (await log.append("a", "x", 4, key="k", sender="ann")).offset == 3
    assert (await log.append("a", "x", 5, key="k", sender="ann")).offset == 3


async def test_a_key_outlives_the_entry_it_was_used_for(log: EventLog) -> None:
    first = await log.append("short/a", "x", 0, key="k", sender="ann")
    for number in range(200):
        await log.append("short/a", "x", number)
    again = await log.append("short/a", "x", 1, key="k", sender="ann")
    assert (again.offset, again.at_ms) == (first.offset, first.at_ms)
    known = await log.known("short/a", "ann", "k")
    assert known is not None
    assert known.offset == 0
    assert await log.known("short/a", "bob", "k") is None


async def test_history_is_bounded_by_count_and_age(log: EventLog, clock: Clock) -> None:
    for number in range(10):
        await log.append("short/a", "x", number)
        await log.append("brief/a", "x", number)
        clock.now += 0.25
    assert await offsets(log, "short/a") == [7, 8, 9]
    assert await offsets(log, "brief/a") == [6, 7, 8, 9]


async def test_history_shows_what_its_viewer_may_see(log: EventLog) -> None:
    await log.append("a", "x", 1)
    await log.append("a", "x", 2, to=("ann", "bob"))
    await log.append("a", "y", 3, to=("cleo",))
    assert await offsets(log, "a") == [0, 1, 2]
    assert await offsets(log, "a", viewer=frozenset({"ann"})) == [0, 1]
    assert await offsets(log, "a", viewer=frozenset({"dan"})) == [0]
    assert await offsets(log, "a", types=frozenset({"y"})) == [2]


async def test_time_never_runs_backwards_in_a_topic(log: EventLog, clock: Clock) -> None:
    first = await log.append("a", "x", 1)
    clock.now -= 100
    assert (await log.append("a", "x", 2)).at_ms == first.at_ms


async def test_an_idle_topic_is_forgotten_and_its_readers_are_told_of_the_gap(
    log: EventLog, clock: Clock
) -> None:
    first = await log.append("a", "x", 1)
    await log.append("a", "x", 2)
    clock.now += (IDLE_TOPIC_MS + DAY_MS) / 1000
    for shelf in log._shelves():
        await shelf.store.trim(log.now_ms())
    opened: list[Any] = []
    gaps: list[str] = []
    told: list[Entry] = []
    await log.follow(
        {"a": first.cursor},
        told.append,
        on_open=lambda recovered, _: opened.append(recovered),
        on_gap=gaps.append,
    )
    assert (opened, gaps) == ([{"a": False}], ["a"])
    assert (await log.append("a", "x", 3)).offset == 0
    assert [entry.offset for entry in told] == [0]


async def test_a_correction_changes_entries_for_everybody_who_comes_later(log: EventLog) -> None:
    told: list[Entry] = []
    await log.follow({"a": None}, told.append)
    first = await log.append("a", "x", {"text": "helo"}, to=("ann",))

    def revise(find: Callable[[int], Entry | None], place: int) -> Revision:
        entry = find(0)
        assert entry is not None
        assert place == 1
        return Revision({"edits": 0}, entry.to, {0: {"text": "hello"}})

    correction = await log.append("a", "edit", None, revise=revise)
    assert correction.to == ("ann",)
    assert [json.loads(bytes(entry.data)) for entry in told] == [{"text": "helo"}, {"edits": 0}]
    late: list[Entry] = []
    follower = await log.follow({"a": FROM_EARLIEST}, late.append)
    follower.close()
    assert json.loads(bytes(late[0].data)) == {"text": "hello"}
    assert (late[0].offset, late[0].at_ms, late[0].to) == (first.offset, first.at_ms, first.to)
    from_tail = await log.between("a", await log.cursor("a"), 1)
    assert from_tail == []


async def test_a_refused_correction_leaves_everything_as_it_was(log: EventLog) -> None:
    await log.append("a", "x", 1)

    def revise(find: Callable[[int], Entry | None], place: int) -> Revision:
        raise not_found("no such message")

    with pytest.raises(HubbubError, match="no such message"):
        await log.append("a", "edit", None, revise=revise)
    assert (await log.append("a", "x", 2)).offset == 1


async def test_between_wants_a_cursor_of_its_topic(log: EventLog) -> None:
    entries = [await log.append("a", "x", number) for number in range(4)]
    found = await log.between("a", entries[1].cursor, 3)
    assert found is not None
    assert [entry.offset for entry in found] == [2, 3]
    assert await log.between("a", entries[3].cursor, 3) == []
    assert await log.between("b", entries[1].cursor, 3) is None
    assert await log.between("a", "garbage", 3) is None


async def test_a_cursor_from_the_future_is_foreign(log: EventLog) -> None:
    entry = await log.append("a", "x", 1)
    ahead = cursor_of("a", entry.epoch, entry.seq + 1)
    assert await log.between("a", ahead, 0) is None


async def test_a_scan_reads_all_topics_of_a_prefix_in_order(log: EventLog) -> None:
    _, cursor, _ = await log.scan("room:", None)
    for topic in ("room:a", "user:x", "room:b", "room:a"):
        await log.append(topic, "x", topic)
    entries, behind, complete = await log.scan("room:", cursor)
    assert [(entry.topic, entry.offset) for entry in entries] == [("room:a", 0), ("room:b", 0), ("room:a", 1)]
    assert complete
    assert (await log.scan("room:", behind))[0] == []


async def test_whoever_was_present_when_the_server_ended_has_left_once(log: EventLog) -> None:
    def joined(name: str) -> dict[str, Any]:
        return {"participant": {"id": name}}

    for name in ("p_1", "p_2", "p_3"):
        await log.append("room:demo", "participant.joined", joined(name))
    await log.append("room:demo", "participant.left", {"id": "p_2", "reason": "left"})
    await log.append("other", "participant.joined", joined("p_4"))
    assert await attendance.clear(log) == 2
    assert await attendance.clear(log) == 0
    entries, _ = await log.history("room:demo", types=frozenset({"participant.left"}))
    left = [json.loads(bytes(entry.data)) for entry in entries]
    assert sorted(data["id"] for data in left) == ["p_1", "p_2", "p_3"]
    assert {data["reason"] for data in left[1:]} == {attendance.REASON_SERVER_LOST}


async def test_presence_is_remembered_longer_than_history(log: EventLog, clock: Clock) -> None:
    log.retentions.rules = (Retention("*", entries=2),)
    log.retentions.of.cache_clear()
    await log.append("room:demo", "participant.joined", {"participant": {"id": "p_1"}})
    for number in range(100):
        await log.append("room:demo", "chat", number)
    clock.now += (IDLE_TOPIC_MS + DAY_MS) / 1000
    for shelf in log._shelves():
        await shelf.store.trim(log.now_ms())
    assert await attendance.clear(log) == 1


PROGRAM = """
import asyncio, sys
from pathlib import Path
from signaling.eventlog import EventLog
from signaling.storage.database import Database

async def main():
    database = Database(Path(sys.argv[1]))
    await database.start()
    log = EventLog(database)
    await log.start()
    await log.append("room:demo", "participant.joined", {"participant": {"id": "p_1"}})

    async def write(writer):
        for number in range(1_000_000):
            entry = await log.append("room:demo", "chat", [writer, number], key=f"{writer}.{number}", sender="ann")
            print(writer, number, entry.offset, entry.at_ms, flush=True)

    await asyncio.gather(*(write(writer) for writer in range(8)))

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    acknowledged: dict[tuple[int, int], tuple[int, int]] = {}
    for _ in range(3):
        with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on this loop
            [sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for _, line in zip(range(300), process.stdout, strict=False):
                writer, number, offset, at_ms = map(int, line.split())
                told = acknowledged.setdefault((writer, number), (offset, at_ms))
                assert told == (offset, at_ms), "a key was answered differently after kill -9"
            process.send_signal(signal.SIGKILL)
    database = Database(path)
    await database.start()
    log = EventLog(database, retentions=Retentions(default=Retention("*", entries=100_000)))
    await log.start()
    entries, _ = await log.history("room:demo", limit=100_000)
    assert [entry.offset for entry in entries] == list(range(len(entries)))
    stored = {entry.offset: json.loads(bytes(entry.data)) for entry in entries if entry.type == "chat"}
    for (writer, number), (offset, _) in acknowledged.items():
        assert stored[offset] == [writer, number]
    assert await attendance.clear(log) == 1
    await log.close()
    await database.close()
