"""Processes that store documents until they are killed: each acknowledgement is printed when it is given.

One process that has imported everything forks one for each run that is asked for on its standard input.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from pycrdt import Doc, Text

from signaling.documents.batch import Batch
from signaling.documents.library import Documents
from signaling.storage.database import Database
from signaling.storage.documents import DocumentStore

WRITERS = 4


class Writer:
    """Writes its next word when the last is acknowledged."""

    identity = "ann"

    def __init__(self, number: int, run: str) -> None:
        self.clients: set[int] = set()
        self.acknowledged = asyncio.Event()
        self.number = number
        self.run = run

    def deliver(self, batch: Batch) -> None:
        pass

    def acknowledge(self) -> None:
        self.acknowledged.set()

    def expel(self, reason: str) -> None:
        pass

    async def write(self, documents: Documents) -> None:
        doc: Doc[Text] = Doc()
        made: list[bytes] = []
        doc.observe(lambda event: made.append(event.update))
        text = doc.get("text", type=Text)
        document = await documents.enter(f"document {self.number}", self)
        for count in range(1_000_000):
            word = f"<{self.run}.{self.number}.{count}>"
            text.insert(len(str(text)), word)
            self.acknowledged.clear()
            await documents.receive(document, made.pop(), self)
            await self.acknowledged.wait()
            sys.stdout.write(word + "\n")
            sys.stdout.flush()


async def main(path: str, run: str) -> None:
    database = Database(Path(path))
    await database.start()
    documents = Documents(DocumentStore(database))
    await documents.start()
    await asyncio.gather(*[Writer(number, run).write(documents) for number in range(WRITERS)])


def nursery(path: str) -> None:
    for run in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(main(path, run.strip()))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os.waitpid(child, 0)
        sys.stdout.write("dead\n")
        sys.stdout.flush()


if __name__ == "__main__":
    nursery(sys.argv[1])
