import asyncio
import os
import random
import signal
import sys
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Text

from signaling.documents import library
from signaling.documents.library import Documents
from signaling.storage.database import Database
from signaling.storage.documents import DocumentStore
from tests.signaling.documents.killed import WRITERS
from tests.signaling.documents.peer import eventually

KILLS = 100


@pytest.mark.timeout(200)
async def test_a_hundred_kills_lose_no_acknowledged_update(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite3"
    draw = random.Random(5)
    nursery = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.signaling.documents.killed", str(path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    acknowledged: list[str] = []
    for run in range(KILLS):
        acknowledged += await killed(nursery, run, draw.randrange(1, 60))
    assert nursery.stdin is not None
    nursery.stdin.close()
    await nursery.wait()
    assert len(acknowledged) > KILLS
    async with opened(path) as documents:
        stored = ""
        for number in range(WRITERS):
            async with documents.edit(f"document {number}") as doc:
                stored += str(doc.get("text", type=Text))
    assert [word for word in acknowledged if word not in stored] == []


async def killed(nursery: asyncio.subprocess.Process, run: int, count: int) -> list[str]:
    """What a process said to have stored until it was killed, `count` acknowledgements after its start."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(f"{run}\n".encode())
    child = 0
    said: list[str] = []
    while (line := (await nursery.stdout.readline()).decode().strip()) != "dead":
        assert line, "the nursery has died"
        if line.isdigit():
            child = int(line)
        else:
            said.append(line)
        if child and len(said) >= count:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    return [word for word in said if word.endswith(">")]


class opened:
    """Documents on a file of their own."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self.documents = Documents(DocumentStore(self._database))

    async def __aenter__(self) -> Documents:
        await self._database.start()
        await self.documents.start()
        return self.documents

    async def __aexit__(self, *_: Any) -> None:
        await self.documents.close()
        await self._database.close()


async def test_a_log_is_compacted_and_says_the_same_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "COMPACT_LENGTH", 20)
    async with opened(tmp_path / "documents.sqlite3") as documents:
        for count in range(200):
            async with documents.edit("notes") as doc:
                text = doc.get("text", type=Text)
                text.insert(len(str(text)), f"{count} ")
        await eventually(lambda: not (documents._compacting or documents._tasks))
        stored = await documents.store.load("notes")
        assert stored is not None
        assert len(stored.updates) < 40
        async with documents.edit("notes") as doc:
            assert str(doc.get("text", type=Text)) == "".join(f"{count} " for count in range(200))


async def test_compacting_ten_megabytes_leaves_the_loop_free(tmp_path: Path) -> None:
    async with opened(tmp_path / "documents.sqlite3") as documents:
        async with documents.edit("large") as doc:
            text = doc.get("text", type=Text)
            for _ in range(1_000):
                text.insert(0, "x" * 10_000)
        async with documents.held("large") as document:
            began = asyncio.get_running_loop().time()
            waited = await longest_wait(documents.compact(document))
            took = asyncio.get_running_loop().time() - began
            assert document.log_length == 0
            assert document.size > 10_000_000
        # On the loop it would be the whole time; what is left is copying, and what a busy machine does to any loop.
        assert waited < took / 2, (waited, took)


async def longest_wait(work: Awaitable[None]) -> float:
    """Seconds for which the loop did not come round while `work` was done."""
    waits: list[float] = []
    watching = asyncio.create_task(watch(waits))
    await work
    watching.cancel()
    return max(waits)


async def watch(waits: list[float]) -> None:
    """How long the loop does not come round."""
    loop = asyncio.get_running_loop()
    last = loop.time()
    while True:
        await asyncio.sleep(0.001)
        now = loop.time()
        waits.append(now - last - 0.001)
        last = now


def resident() -> int:
    """Bytes of memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


async def test_ten_thousand_opened_and_closed_documents_leave_no_memory_behind(tmp_path: Path) -> None:
    async with opened(tmp_path / "documents.sqlite3") as documents:

        async def cycle(count: int) -> None:
            for number in range(count):
                async with documents.edit(f"document {number % 50}") as doc:
                    text = doc.get("text", type=Text)
                    if len(text) < 2_000:
                        text.insert(0, "x" * 1_000)
                assert len(documents) <= 1

        await cycle(2_000)
        before = resident()
        await cycle(10_000)
        assert resident() - before < 8 * 1024 * 1024
