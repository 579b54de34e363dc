"""What people see of a state: its root types as JSON, and what differs between two states.

For the workroom's process only: pycrdt loops for ever on a hostile array that has text marks in it.
"""

from __future__ import annotations

import base64
import difflib
from typing import Any, Literal

import msgspec
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

Kind = Literal["map", "text", "xml", "array"]
WRAPPERS: dict[Kind, Any] = {"map": Map, "text": Text, "xml": XmlFragment, "array": Array}


def opened(state: bytes) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    if state:
        doc.apply_update(state)
    return doc


def kind_of(doc: Doc[Any], name: str) -> Kind | None:
    """The type of a root, which an update does not tell: by what is in it. None where nothing is left.

    Asked as a text first: asking a text with marks as an array never ends.
    """
    if len(doc.get(name, type=Map)):
        return "map"
    text = doc.get(name, type=Text)
    if not len(text):
        return None
    pieces = [piece for piece, _ in text.diff()]
    if any(isinstance(piece, str) for piece in pieces):
        return "text"
    if any(isinstance(piece, XmlElement | XmlText | XmlFragment) for piece in pieces):
        return "xml"
    return "array"


def root(doc: Doc[Any], name: str) -> Any:
    kind = kind_of(doc, name)
    return None if kind is None else doc.get(name, type=WRAPPERS[kind])


def as_json(state: bytes) -> dict[str, Any]:
    """Root types by name: texts and XML as strings, an emptied root as null."""
    doc = opened(state)
    return {name: plain(root(doc, name)) for name in sorted(doc.keys())}


def plain(value: Any) -> Any:
    match value:
        case Map():
            return {key: plain(value[key]) for key in sorted(value.keys())}
        case Array():
            return [plain(item) for item in value]
        case Text() | XmlText() | XmlElement() | XmlFragment():
            return str(value)
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
    return value


def differences(old: bytes, new: bytes) -> dict[str, list[dict[str, str]]]:
    """By root type: pieces of text, each `equal`, `delete` or `insert`. Roots that are the same are left out."""
    before, after = as_json(old), as_json(new)
    return {
        name: _pieces(_lines(before.get(name)), _lines(after.get(name)))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    text = value if isinstance(value, str) else _indented(value)
    return text.splitlines(keepends=True)


def _indented(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode()


def _pieces(old: list[str], new: list[str]) -> list[dict[str, str]]:
    pieces: list[dict[str, str]] = []
    for operation, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if operation == "equal":
            pieces.append({"equal": "".join(old[a:b])})
            continue
        if a < b:
            pieces.append({"delete": "".join(old[a:b])})
        if c < d:
            pieces.append({"insert": "".join(new[c:d])})
    return pieces
