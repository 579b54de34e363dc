"""The work on documents that takes long, in a process of its own: `python -m signaling.documents.workroom`.

pycrdt holds the interpreter's lock while it works, so a thread would stop the loop as long as doing the work
there: 30 ms and more for a document of 10 MB. Requests and answers are msgpack behind four bytes of length.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path
from typing import IO, Any

import msgspec
from pycrdt import Doc
from pycrdt import get_update as difference_of

from signaling.documents.content import as_json, differences
from signaling.documents.lib0 import Malformed
from signaling.documents.restoring import restored
from signaling.documents.update import Walk, is_ahead, state_vector
from signaling.storage.connecting import connect
from signaling.storage.documents import compact, load

# Levels of shared types in shared types. Deleting the outermost of some 20,000 overflows yrs' stack, and ends
# the process; documents that people make have some dozens.
MAX_NESTING = 500
PIECE_BYTES = 256 * 1024
NICENESS = 10


class Inspect(msgspec.Struct, tag="inspect"):
    """Is this update well-formed, and not nested too deep?"""

    update: bytes


class Compact(msgspec.Struct, tag="compact"):
    """Make one update of a snapshot and the numbered updates behind it."""

    snapshot: bytes
    updates: list[tuple[int, bytes]]


class CompactStored(msgspec.Struct, tag="compact-stored"):
    """The same in the database itself: copying 10 MB takes the server's interpreter some 30 ms each time."""

    path: str
    name: str


class Render(msgspec.Struct, tag="render"):
    """A state as JSON."""

    state: bytes


class Compare(msgspec.Struct, tag="compare"):
    """What differs, as JSON."""

    old: bytes
    new: bytes


class Restore(msgspec.Struct, tag="restore"):
    """The update that takes `current` back to the contents of `version`."""

    current: bytes
    version: bytes


Request = Inspect | Compact | CompactStored | Render | Compare | Restore


class Answer(msgspec.Struct, omit_defaults=True):
    """`kept`: numbers of updates that wait for others, which are not in the snapshot."""

    nested: int = 0
    snapshot: bytes = b""
    """The update, or the JSON."""
    kept: list[int] = []
    size: int = 0
    """Bytes of the snapshot that was stored; `through`, `count` and `dropped` tell of the updates in it."""
    through: int = 0
    count: int = 0
    dropped: int = 0
    malformed: str | None = None


def perform(request: Request) -> Answer:
    try:
        match request:
            case Inspect(update):
                return Answer(nested=_nesting(update))
            case Compact(snapshot, updates):
                return _compact(snapshot, updates)
            case CompactStored(path, name):
                return _compact_stored(Path(path), name)
            case Render(state):
                return Answer(snapshot=msgspec.json.encode(as_json(state)))
            case Compare(old, new):
                return Answer(snapshot=msgspec.json.encode(differences(old, new)))
            case Restore(current, version):
                return Answer(snapshot=restored(current, version))
    except (ValueError, RuntimeError, RecursionError, sqlite3.Error) as error:
        return Answer(malformed=str(error))


def _compact(snapshot: bytes, updates: list[tuple[int, bytes]]) -> Answer:
    doc: Doc[Any] = Doc()
    if snapshot:
        doc.apply_update(snapshot)
    for _, update in updates:
        doc.apply_update(update)
    state = doc.get_state()
    clocks = state_vector(state)
    kept = [number for number, update in updates if is_ahead(difference_of(update, state), clocks)]
    encoded = doc.get_update()
    return Answer(snapshot=encoded, kept=kept, nested=_nesting(encoded))


def _compact_stored(path: Path, name: str) -> Answer:
    connection = connect(path)
    try:
        stored = load(connection, name)
        if stored is None:
            return Answer()
        answer = _compact(stored.snapshot, list(stored.updates))
        kept = frozenset(answer.kept)
        connection.execute("BEGIN IMMEDIATE")
        compact(connection, name, answer.snapshot, stored.last, kept)
        connection.execute("COMMIT")
    finally:
        connection.close()
    dropped = [content for number, content in stored.updates if number not in kept]
    return Answer(
        size=len(answer.snapshot), through=stored.last, count=len(dropped), dropped=sum(map(len, dropped))
    )


def _nesting(update: bytes) -> int:
    walk = Walk(update, track=True).run()
    depth = walk.nesting()
    if depth > MAX_NESTING:
        raise Malformed(f"shared types nested {depth} levels deep; at most {MAX_NESTING} are taken")
    return walk.nested


def write(stream: IO[bytes], message: Request | Answer) -> None:
    """Unbuffered streams: each piece is a system call, during which other threads run."""
    body = memoryview(msgspec.msgpack.encode(message))
    stream.write(len(body).to_bytes(4, "big"))
    for start in range(0, len(body), PIECE_BYTES):
        stream.write(body[start : start + PIECE_BYTES])
    stream.flush()


def read(stream: IO[bytes]) -> bytes:
    """One message; empty at the end of the stream."""
    head = stream.read(4)
    return stream.read(int.from_bytes(head, "big")) if len(head) == 4 else b""


def main() -> None:
    # Whoever edits is served before anything here.
    os.nice(NICENESS)
    while body := read(sys.stdin.buffer):
        request = msgspec.msgpack.decode(body, type=Request)
        write(sys.stdout.buffer, perform(request))


if __name__ == "__main__":
    main()
