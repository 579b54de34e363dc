"""What an update (Yjs update format, version 1) contains, found out without applying it.

pycrdt applies whatever decodes. Some of that ends the process: clocks beyond 32 bits panic in it, nesting of
some ten thousand levels overflows its stack. Other things pass it and then break every JavaScript client. So
every update is walked here before it reaches a Doc, and before anything of it is stored.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from signaling.documents.lib0 import Malformed, Reader

EMPTY = b"\x00\x00"
NO_STATE = b"\x00"
# yrs keeps clocks in 32 bits.
MAX_CLOCK = 2**31 - 1
# Objects in objects in one value. JSON.parse and lib0 recurse; what people make has fewer than ten levels.
MAX_VALUE_DEPTH = 64

Id = tuple[int, int]


class TooManyStructs(Exception):
    """Well-formed as far as it was read. The rest takes too long here: the compactor's process reads it."""


class Walk:
    """One pass over an update, in the order of its bytes.

    `structs` counts them; `nested` counts the shared types among them, so it bounds by how many levels the
    update deepens a document. With `track`, nesting() is exact afterwards.
    """

    def __init__(self, update: bytes, *, limit: int | None = None, track: bool = False) -> None:
        self.structs = 0
        self.nested = 0
        self._reader = Reader(update)
        self._limit = limit
        self._places: Places | None = Places() if track else None

    def run(self) -> Walk:
        """Raises Malformed, or TooManyStructs when more than `limit` structs would have to be read."""
        uint = self._reader.uint
        for _ in range(uint()):
            count, client, clock = uint(), uint(), uint()
            if count == 0:
                raise Malformed(f"no structs of client {client}")  # yrs panics at them
            self.structs += count
            if self._limit is not None and self.structs > self._limit:
                raise TooManyStructs
            for _ in range(count):
                clock += self._struct(client, clock)
                if clock > MAX_CLOCK:
                    raise Malformed(f"clock of client {client} is beyond {MAX_CLOCK}")
        for _ in deletions(self._reader):
            pass
        if not self._reader.at_end:
            raise Malformed("bytes behind the end of the update")
        return self

    def nesting(self) -> int:
        """Levels of shared types in shared types, as far as this update shows them."""
        return self._places.depth() if self._places else 0

    def _struct(self, client: int, clock: int) -> int:
        """Answers how many clocks the struct takes."""
        info = self._reader.take(1)[0]
        kind = info & 0x1F
        if kind in _WITHOUT_CONTENT:
            length = self._reader.uint()
        else:
            place = self._place(info)
            length = self._content(kind)
            if self._places is not None:
                self._places.add((client, clock), place, is_type=kind == _TYPE)
        if length == 0:
            raise Malformed("struct of no length")
        return length

    def _place(self, info: int) -> Place:
        origin = self._id() if info & _ORIGIN else None
        right = self._id() if info & _RIGHT_ORIGIN else None
        if origin or right:
            return origin or right, True
        parent = None
        if self._reader.uint() == 1:
            self._reader.string()
        else:
            parent = self._id()
        if info & _PARENT_SUB:
            self._reader.string()
        return parent, False

    def _id(self) -> Id:
        return self._reader.uint(), _clock(self._reader.uint())

    def _content(self, kind: int) -> int:
        reader = self._reader
        match kind:
            case 4:  # string
                return _utf16_length(reader.string())
            case 1:  # deleted
                return reader.uint()
            case 8:  # any values
                return self._values()
            case 7:  # shared type
                self._type()
            case 6:  # format: key and JSON value
                reader.string()
                check_json(reader.blob())
            case 5:  # embed
                check_json(reader.blob())
            case 3:  # binary
                reader.blob()
            case 2:  # JSON values of old clients
                return self._json_values()
            case 9:  # subdocument: guid and options
                reader.string()
                skip_any(reader)
            case other:
                raise Malformed(f"content of unknown kind {other}")
        return 1

    def _values(self) -> int:
        count = self._reader.uint()
        for _ in range(count):
            skip_any(self._reader)
        return count

    def _json_values(self) -> int:
        count = self._reader.uint()
        for _ in range(count):
            value = self._reader.blob()
            if value != b"undefined":  # what old clients wrote for it
                check_json(value)
        return count

    def _type(self) -> None:
        kind = self._reader.uint()
        if kind > _LAST_TYPE:
            raise Malformed(f"shared type of unknown kind {kind}")
        if kind in _NAMED_TYPES:
            self._reader.string()
        self.nested += 1


Place = tuple[Id | None, bool]
"""(id, True): beside that item. (id, False): first in that type. (None, False): first in a root type."""


class Places:
    """Where each struct of an update hangs, to tell how deep its types are nested."""

    def __init__(self) -> None:
        self._clocks: dict[int, list[int]] = {}
        self._places: dict[int, list[Place]] = {}
        self._types: list[Id] = []

    def add(self, id: Id, place: Place, *, is_type: bool) -> None:
        self._clocks.setdefault(id[0], []).append(id[1])
        self._places.setdefault(id[0], []).append(place)
        if is_type:
            self._types.append(id)

    def depth(self) -> int:
        depths: dict[Id, int] = {}
        return max((self._depth(id, depths) for id in self._types), default=0)

    def _depth(self, id: Id, depths: dict[Id, int]) -> int:
        """Walks up, then comes back down filling `depths`: a chain may be longer than Python's stack."""
        path: list[Id] = []
        here: Id | None = id
        while here is not None and here not in depths:
            depths[here] = 0  # a hostile circle ends where it began
            path.append(here)
            here = self._find(here)[0]
        depth = 0 if here is None else depths[here]
        for below in reversed(path):
            depth += 0 if self._find(below)[1] else 1
            depths[below] = depth
        return depth

    def _find(self, id: Id) -> Place:
        """The place of the struct that holds `id`; an id from outside the update counts as a root."""
        clocks = self._clocks.get(id[0])
        index = bisect_right(clocks, id[1]) - 1 if clocks else -1
        return self._places[id[0]][index] if index >= 0 else (None, False)


def deletions(reader: Reader) -> Iterator[tuple[int, int, int]]:
    """The delete set that ends an update, as (client, first clock, length). Raises Malformed."""
    for _ in range(reader.uint()):
        client = reader.uint()
        for _ in range(reader.uint()):
            clock, length = reader.uint(), reader.uint()
            if clock + length > MAX_CLOCK:
                raise Malformed(f"deletion beyond clock {MAX_CLOCK}")
            yield client, clock, length


def state_vector(data: bytes) -> dict[int, int]:
    """Next clock by client. Raises Malformed."""
    reader = Reader(data)
    return {reader.uint(): _clock(reader.uint()) for _ in range(reader.uint())}


def is_ahead(difference: bytes, state: dict[int, int]) -> bool:
    """Whether a Doc in `state` lacks something of an update, of which `difference` is what `state` leaves over.

    Structs that are left over wait for others that have not come; so do deletions of clocks not yet there.
    """
    if difference[:1] != b"\x00":
        return True
    reader = Reader(difference, 1)
    return any(clock + length > state.get(client, 0) for client, clock, length in deletions(reader))


def skip_any(reader: Reader, depth: int = 0) -> None:
    """lib0's `any` value: one type byte, then what belongs to it. Raises Malformed."""
    if depth > MAX_VALUE_DEPTH:
        raise Malformed(f"value nested deeper than {MAX_VALUE_DEPTH} levels")
    kind = reader.take(1)[0]
    if kind in _ANY_SIZES:
        reader.take(_ANY_SIZES[kind])
    elif kind == 119:
        reader.string()
    elif kind == 116:
        reader.blob()
    elif kind == 125:
        _skip_int(reader)
    elif kind == 117 or kind == 118:
        for _ in range(reader.uint()):
            if kind == 118:
                reader.string()
            skip_any(reader, depth + 1)
    else:
        raise Malformed(f"value of unknown kind {kind}")


def check_json(text: bytes) -> None:
    """Raises Malformed unless JSON.parse takes it: one bad value would break every client that reads it."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("value is not JSON") from None


def _clock(value: int) -> int:
    if value > MAX_CLOCK:
        raise Malformed(f"clock {value} is beyond {MAX_CLOCK}")
    return value


def _utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _skip_int(reader: Reader) -> None:
    while reader.take(1)[0] & 0x80:
        pass


_TYPE = 7
_WITHOUT_CONTENT = (0, 10)  # garbage collected; a gap
_NAMED_TYPES = (3, 5)  # XmlElement, XmlHook
_LAST_TYPE = 6  # XmlText. yrs has more, which Yjs cannot read
_ORIGIN, _RIGHT_ORIGIN, _PARENT_SUB = 0x80, 0x40, 0x20
# undefined, null, true, false, float32, float64, bigint
_ANY_SIZES = {127: 0, 126: 0, 120: 0, 121: 0, 124: 4, 123: 8, 122: 8}
