"""Who is looking at a document and where their cursor is: the awareness of y-protocols, with owners.

States live as long as the connection that introduced them. Clients repeat what they receive (y-websocket
sends every change of its awareness back), so entries for other people's ids are ordinary and passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from signaling.documents.lib0 import Malformed, Reader, write_string, write_uint
from signaling.documents.update import check_json

GONE = "null"
# Bytes of JSON of one state. Names, colours, cursors and selections take some hundred.
MAX_STATE_BYTES = 64 * 1024
# Client ids that one connection may introduce: a page has one for each Yjs document that it shows.
MAX_CLIENTS = 100
# Those who left are remembered, so that a late echo of their state does not bring them back.
MAX_REMEMBERED = 1_000


class Owner(Protocol):
    """A connection. `clients` is kept here: the ids that it introduced."""

    identity: str
    clients: set[int]


class State(msgspec.Struct, frozen=True):
    clock: int
    text: str
    owner: Owner


class Departure(msgspec.Struct, frozen=True, gc=False):
    clock: int
    identity: str


class Awareness:
    """Methods answer the client ids whose state others must be told; `encode` makes the message of them."""

    def __init__(self) -> None:
        self._states: dict[int, State] = {}
        self._departed: dict[int, Departure] = {}

    def __len__(self) -> int:
        return len(self._states)

    def states(self) -> dict[int, str]:
        """JSON text by client id."""
        return {client: state.text for client, state in self._states.items()}

    def receive(self, payload: bytes, owner: Owner) -> list[int]:
        """Raises Malformed; then nothing of the message has been taken."""
        return [client for client, clock, text in parse(payload) if self._take(client, clock, text, owner)]

    def leave(self, owner: Owner) -> list[int]:
        """Every state of that connection is gone."""
        left = sorted(owner.clients)
        for client in left:
            self._remove(client, self._states[client].clock)
        return left

    def encode(self, clients: Iterable[int] | None = None) -> bytes:
        """The states of those clients, or of all. Who has left is told as null."""
        chosen = list(self._states if clients is None else clients)
        return write_uint(len(chosen)) + b"".join([self._entry(client) for client in chosen])

    def _take(self, client: int, clock: int, text: str, owner: Owner) -> bool:
        known = self._states.get(client)
        if known is None:
            return text != GONE and self._introduce(client, clock, text, owner)
        if known.owner is not owner and not self._takes_over(known, clock, owner):
            return False
        if text == GONE:
            if known.owner is not owner or clock < known.clock:
                return False
            self._remove(client, clock)
            return True
        if clock < known.clock:
            return False
        self._put(client, State(max(clock, known.clock), text, owner))
        return clock > known.clock

    def _takes_over(self, known: State, clock: int, owner: Owner) -> bool:
        """Somebody's new connection while the server has not noticed the end of the old one.

        At an equal clock it may be a mere echo by another page of the same person; a page that has not
        introduced its own id yet does not echo.
        """
        if known.owner.identity != owner.identity:
            return False
        return clock > known.clock or (clock == known.clock and not owner.clients)

    def _introduce(self, client: int, clock: int, text: str, owner: Owner) -> bool:
        if len(owner.clients) >= MAX_CLIENTS:
            return False
        departure = self._departed.get(client)
        if departure is not None:
            returns = departure.identity == owner.identity and (
                clock > departure.clock or (clock == departure.clock and not owner.clients)
            )
            if not returns:
                return False
            # The others have this clock with null. A reconnecting client comes back with the clock that it
            # left with, so it is moved on here; the echo moves the client on, too.
            clock = max(clock, departure.clock + 1)
        self._put(client, State(clock, text, owner))
        return True

    def _put(self, client: int, state: State) -> None:
        known = self._states.get(client)
        if known is not None:
            known.owner.clients.discard(client)
        self._departed.pop(client, None)
        self._states[client] = state
        state.owner.clients.add(client)

    def _remove(self, client: int, clock: int) -> None:
        state = self._states.pop(client)
        state.owner.clients.discard(client)
        self._departed[client] = Departure(clock, state.owner.identity)
        while len(self._departed) > MAX_REMEMBERED:
            del self._departed[next(iter(self._departed))]

    def _entry(self, client: int) -> bytes:
        state = self._states.get(client)
        if state is not None:
            return write_uint(client) + write_uint(state.clock) + write_string(state.text)
        departure = self._departed.get(client)
        return write_uint(client) + write_uint(departure.clock if departure else 0) + write_string(GONE)


def parse(payload: bytes) -> list[tuple[int, int, str]]:
    """Client, clock and JSON text of each entry. Raises Malformed."""
    reader = Reader(payload)
    entries = []
    for _ in range(reader.uint()):
        client, clock, text = reader.uint(), reader.uint(), reader.string()
        if len(text) > MAX_STATE_BYTES:
            raise Malformed(f"awareness state of more than {MAX_STATE_BYTES} bytes")
        check_json(text.encode())
        entries.append((client, clock, text))
    return entries
