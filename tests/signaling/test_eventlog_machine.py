"""The log against a model, under any interleaving that hypothesis finds: no hole, no duplicate, right order.

Commits, what is told of them, reads and their answers are steps of the test, as are the turns of the loop in
between: followers are met in the middle of catching up, entries between their commit and their publication.
What a follower was told is held against everything that was ever appended to its topics.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from signaling import channel
from signaling.entry import Entry
from signaling.eventlog import FROM_EARLIEST, EventLog, Follower
from signaling.retention import Retention, Retentions
from signaling.storage import logs, sqlite
from tests.signaling.stepped_database import SteppedDatabase

T = TypeVar("T")
TOPICS = ["disk/a", "disk/b", "memory/a"]
LIMIT = 12
AGE_MS = 10_000
RULES = Retentions([Retention("memory/*", LIMIT, AGE_MS, "memory")], Retention("*", LIMIT, AGE_MS))

topics = st.lists(st.sampled_from(TOPICS), min_size=1, max_size=3, unique=True)
turns = st.integers(0, 6)


class Reading:
    """What one follower was told, and where it started."""

    def __init__(self, topics: list[str], since: dict[str, int | None]) -> None:
        self.topics = topics
        self.since = since
        """Per topic the offset of the first entry that it must be told, None where it takes what there is."""
        self.told: dict[str, list[int]] = {topic: [] for topic in topics}
        self.order: list[Entry] = []
        self.gaps: dict[str, list[int]] = {topic: [] for topic in topics}
        """Per topic, how many entries had been told when a gap was."""
        self.recovered: dict[str, bool] | None = None
        self.task: asyncio.Task[Follower] | None = None
        self.closed = False

    def entry(self, entry: Entry) -> None:
        assert not self.closed, "told after close"
        assert self.recovered is not None, "told before it was opened"
        self.told[entry.topic].append(entry.offset)
        self.order.append(entry)

    def opened(self, recovered: Any, positions: Any) -> None:
        self.recovered = dict(recovered)

    def gap(self, topic: str) -> None:
        self.gaps[topic].append(len(self.told[topic]))


class LogMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = 1_000.0
        self.acknowledged: dict[str, list[Entry]] = {topic: [] for topic in TOPICS}
        self.next: dict[str, int] = dict.fromkeys(TOPICS, 0)
        """Offset that the next append will get: appends are asked for in this order."""
        self.pending: list[tuple[str, int, asyncio.Task[Entry]]] = []
        self.keys: dict[tuple[str, str], int] = {}
        self.readings: list[Reading] = []
        self.cursors: list[tuple[str, int, str]] = []

    @initialize(
        tail=st.integers(1, LIMIT + 4),
        trim_every=st.sampled_from([1, 4, 64]),
        page_bytes=st.sampled_from([1, 600, 2**18]),
    )
    def open(self, tail: int, trim_every: int, page_bytes: int) -> None:
        self.before = (channel.TAIL_ENTRIES, sqlite.TRIM_EVERY, logs.PAGE_BYTES)
        channel.TAIL_ENTRIES, sqlite.TRIM_EVERY, logs.PAGE_BYTES = tail, trim_every, page_bytes
        self.folder = tempfile.TemporaryDirectory()
        self.run(self.start())

    async def start(self) -> None:
        self.database = SteppedDatabase(Path(self.folder.name) / "log.sqlite3")
        database: Any = self.database
        self.log = EventLog(database, clock=lambda: self.now, retentions=RULES)
        starting = asyncio.ensure_future(self.log.start())
        await self.quiet(starting)

    def teardown(self) -> None:
        try:
            if hasattr(self, "log"):
                self.check_complete()
                self.run(self.log.close())
        finally:
            self.end()

    def end(self) -> None:
        for reading in self.readings:
            if not reading.closed:
                self.close(reading)
        self.run(self.log.close())
        self.run(self.database.close())
        self.folder.cleanup()
        channel.TAIL_ENTRIES, sqlite.TRIM_EVERY, logs.PAGE_BYTES = self.before
        self.loop.close()

    def ask(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end, taking every step that it waits for."""
        return self.run(self.quiet(self.loop.create_task(work)))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def turn(self, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    def all_steps(self) -> None:
        for step in (self.database.commit, self.database.tell, self.database.look, self.database.answer):
            step(1_000)

    async def quiet(self, task: asyncio.Future[T]) -> T:
        """Take every step there is until the task is done."""
        for _ in range(1_000):
            if task.done():
                return task.result()
            self.all_steps()
            await self.turn(1)
        raise AssertionError("the log never comes to an end")

    # -- the threads of the database

    @rule(step=st.sampled_from(["commit", "tell", "look", "answer"]), most=st.integers(1, 5), turns=turns)
    def step(self, step: str, most: int, turns: int) -> None:
        getattr(self.database, step)(most)
        self.run(self.turn(turns))

    @precondition(lambda self: self.pending)
    @rule(start=st.sampled_from([None, FROM_EARLIEST]), topics=topics)
    def read_between_commit_and_publication(self, start: str | None, topics: list[str]) -> None:
        """Somebody catches up and goes live while nobody was told of what is stored."""
        self.database.commit(1_000)
        reading = self.follow(topics, start, dict.fromkeys(topics), 1)
        assert reading.task is not None
        for _ in range(200):
            self.database.look(1_000)
            self.database.answer(1_000)
            self.run(self.turn(2))
        assert reading.task.done()

    # -- writing

    @rule(topic=st.sampled_from(TOPICS), count=st.integers(1, 20), turns=turns)
    def append(self, topic: str, count: int, turns: int) -> None:
        async def work() -> None:
            for _ in range(count):
                task = asyncio.ensure_future(self.log.append(topic, "x", self.next[topic]))
                self.pending.append((topic, self.next[topic], task))
                self.next[topic] += 1
            await self.turn(turns + 1)

        self.run(work())

    @rule(topic=st.sampled_from(TOPICS), key=st.sampled_from(["k1", "k2"]))
    def append_once(self, topic: str, key: str) -> None:
        expected = self.keys.setdefault((topic, key), self.next[topic])
        if expected == self.next[topic]:
            self.next[topic] += 1
        task = self.loop.create_task(self.log.append(topic, "x", expected, key=key, sender="ann"))
        self.pending.append((topic, expected, task))
        self.run(self.turn(1))

    @rule()
    def await_appends(self) -> None:
        for topic, offset, task in self.pending:
            entry = self.run(self.quiet(task))
            assert entry.offset == offset
            self.acknowledged[topic].append(entry)
            self.cursors.append((topic, offset + 1, entry.cursor))
        self.pending.clear()

    # -- reading

    @rule(topics=topics, start=st.sampled_from([None, FROM_EARLIEST, "", "garbage", "A" * 24]), turns=turns)
    def follow_without_a_cursor(self, topics: list[str], start: str | None, turns: int) -> None:
        # What is committed but not acknowledged yet may be on either side of "now".
        reading = self.follow(topics, start, dict.fromkeys(topics), turns)
        if start not in (None, FROM_EARLIEST):
            self.settle()
            assert reading.recovered == dict.fromkeys(topics, False)

    @precondition(lambda self: self.cursors)
    @rule(data=st.data(), extra=topics, turns=turns)
    def follow_from_a_cursor(self, data: st.DataObject, extra: list[str], turns: int) -> None:
        topic, following, cursor = data.draw(st.sampled_from(self.cursors))
        topics = list(dict.fromkeys([topic, *extra]))
        since: dict[str, int | None] = dict.fromkeys(topics)
        since[topic] = following
        self.follow(topics, cursor, since, turns)

    @precondition(lambda self: any(reading.order for reading in self.readings))
    @rule(data=st.data(), turns=turns)
    def resume(self, data: st.DataObject, turns: int) -> None:
        """Behind any entry that a reader of several topics was told: all of them go on from there."""
        read = data.draw(st.sampled_from([reading for reading in self.readings if reading.order]))
        place = data.draw(st.integers(0, len(read.order) - 1))
        epoch = read.order[place].epoch
        topics = [topic for topic in read.topics if topic.startswith("memory") == self.in_memory(epoch)]
        behind = {topic: [e.offset for e in read.order[: place + 1] if e.topic == topic] for topic in topics}
        ahead = {topic: [e.offset for e in read.order[place + 1 :] if e.topic == topic] for topic in topics}
        since = {
            topic: behind[topic][-1] + 1 if behind[topic] else (ahead[topic][0] if ahead[topic] else None)
            for topic in topics
        }
        self.follow(topics, read.order[place].cursor, since, turns)

    def in_memory(self, epoch: bytes) -> bool:
        return epoch == self.log._memory.store.epoch

    def follow(
        self, topics: list[str], start: str | None, since: dict[str, int | None], turns: int
    ) -> Reading:
        reading = Reading(topics, since)

        async def ready() -> None:
            await self.turn(turns)

        async def work() -> None:
            starts = dict.fromkeys(topics, start)
            reading.task = asyncio.ensure_future(
                self.log.follow(
                    starts, reading.entry, on_open=reading.opened, on_gap=reading.gap, ready=ready
                )
            )
            await self.turn(turns)

        self.run(work())
        self.readings.append(reading)
        return reading

    @precondition(lambda self: any(not reading.closed for reading in self.readings))
    @rule(data=st.data())
    def close_one(self, data: st.DataObject) -> None:
        self.close(data.draw(st.sampled_from([reading for reading in self.readings if not reading.closed])))

    def close(self, reading: Reading) -> None:
        async def work() -> None:
            assert reading.task is not None
            if reading.task.done():
                reading.task.result().close()
            else:
                reading.task.cancel()
                await asyncio.gather(reading.task, return_exceptions=True)
            reading.closed = True

        self.run(work())

    # -- the world

    @rule(seconds=st.sampled_from([0.0, 1.0, 6.0, 11.0]))
    def pass_time_and_trim(self, seconds: float) -> None:
        self.now += seconds

        async def work() -> None:
            for shelf in self.log._shelves():
                await shelf.store.trim(self.log.now_ms())

        self.ask(work())

    @rule()
    def restart(self) -> None:
        """What was acknowledged on disk stays; memory begins anew, and its cursors are foreign."""
        self.await_appends()
        for reading in self.readings:
            if not reading.closed:
                self.close(reading)
        self.run(self.log.close())
        self.run(self.database.close())
        self.run(self.start())
        for topic in TOPICS:
            if topic.startswith("memory"):
                self.next[topic] = 0
                self.acknowledged[topic].clear()
        self.keys = {pair: offset for pair, offset in self.keys.items() if pair[0].startswith("disk")}
        self.cursors = [known for known in self.cursors if known[0].startswith("disk")]
        self.readings.clear()

    # -- what has to hold

    def settle(self) -> None:
        self.await_appends()
        for reading in self.readings:
            if not reading.closed:
                assert reading.task is not None
                self.run(self.quiet(reading.task))

    @invariant()
    def every_reading_is_in_order(self) -> None:
        for reading in self.readings:
            for topic, told in reading.told.items():
                for place, (before, after) in enumerate(pairwise(told), 1):
                    if place in reading.gaps[topic]:
                        assert after > before
                    else:
                        assert after == before + 1, f"{topic}: {before} was followed by {after}"
                first = reading.since[topic]
                if told and first is not None and 0 not in reading.gaps[topic]:
                    assert told[0] == first
            for epoch in {entry.epoch for entry in reading.order}:
                seqs = [entry.seq for entry in reading.order if entry.epoch == epoch]
                assert seqs == sorted(set(seqs))

    @rule()
    def check_complete(self) -> None:
        """Once everything has settled, every reader was told up to the last entry."""
        self.settle()
        for reading in self.readings:
            if reading.closed:
                continue
            assert reading.recovered is not None
            for topic, told in reading.told.items():
                assert reading.recovered[topic] or 0 in reading.gaps[topic]
                first = reading.since[topic]
                if len(told) in reading.gaps[topic]:
                    continue  # it was told that the rest is gone
                if told:
                    assert told[-1] == self.next[topic] - 1
                elif first is not None:
                    assert first == self.next[topic]

    @rule(topic=st.sampled_from(TOPICS), limit=st.integers(1, LIMIT), data=st.data())
    def history(self, topic: str, limit: int, data: st.DataObject) -> None:
        self.await_appends()
        before = data.draw(st.one_of(st.none(), st.integers(0, self.next[topic])))
        entries, more = self.ask(self.log.history(topic, before, limit))
        oldest_ms = self.log.now_ms() - AGE_MS
        kept = {entry.offset: entry for entry in self.acknowledged[topic] if entry.at_ms >= oldest_ms}
        kept = {offset: entry for offset, entry in kept.items() if offset >= self.next[topic] - LIMIT}
        wanted = [offset for offset in sorted(kept) if before is None or offset < before]
        assert [entry.offset for entry in entries] == wanted[-limit:]
        assert more == (len(wanted) > limit)
        assert [msgspec.json.decode(entry.data) for entry in entries] == [entry.offset for entry in entries]

    @precondition(lambda self: self.cursors)
    @rule(data=st.data())
    def between(self, data: st.DataObject) -> None:
        """All or nothing, up to an offset."""
        self.await_appends()
        topic, following, cursor = data.draw(st.sampled_from(self.cursors))
        until = data.draw(st.integers(-1, self.next[topic] - 1))
        found = self.ask(self.log.between(topic, cursor, until))
        if found is not None:
            assert [entry.offset for entry in found] == list(range(following, until + 1))
        else:
            kept = self.ask(self.log.history(topic, None, LIMIT))[0]
            assert not kept or kept[0].offset > following
        other = next(name for name in TOPICS if name != topic)
        assert self.ask(self.log.between(other, cursor, until)) is None


LogMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLog = LogMachine.TestCase
