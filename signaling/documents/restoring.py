"""Going back to an earlier state by a new edit, so that everybody who is connected follows.

For the workroom's process only, as content.py is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from pycrdt import Array, Map, Text, XmlElement, XmlFragment, XmlText

from signaling.documents.content import WRAPPERS, kind_of, opened, plain


def restored(current: bytes, version: bytes) -> bytes:
    """The update that gives the roots of `current` the contents that they have in `version`."""
    doc, old = opened(current), opened(version)
    before = doc.get_state()
    with doc.transaction():
        for name in sorted({*doc.keys(), *old.keys()}):
            kind = kind_of(old, name) or kind_of(doc, name)
            if kind is not None:
                _become(doc.get(name, type=WRAPPERS[kind]), old.get(name, type=WRAPPERS[kind]))
    return doc.get_update(before)


def _become(target: Any, source: Any) -> None:
    match target:
        case Map():
            _map(target, source)
        case Array():
            _array(target, source)
        case Text():
            _text(target, source)
        case XmlFragment():
            _fragment(target, source)


def _map(target: Map[Any], source: Map[Any]) -> None:
    for key in [key for key in target.keys() if key not in source]:  # noqa: SIM118 - a Map iterates oddly
        del target[key]
    for key in source.keys():  # noqa: SIM118
        if key not in target or plain(target[key]) != plain(source[key]):
            _put(target, key, source[key], target.__setitem__)


def _array(target: Array[Any], source: Array[Any]) -> None:
    have, want = [plain(item) for item in target], [plain(item) for item in source]
    start, end = _same(have, want)
    if start < len(have) - end:
        del target[start : len(have) - end]
    for index in range(start, len(want) - end):
        _put(target, index, source[index], target.insert)


def _text(target: Any, source: Any) -> None:
    have, want = _characters(target), _characters(source)
    start, end = _same(have, want)
    if start < len(have) - end:
        first, last = _bytes(have[:start]), _bytes(have[: len(have) - end])
        del target[first:last]
    position = _bytes(have[:start])
    for piece, attributes in want[start : len(want) - end]:
        if isinstance(piece, str):
            target.insert(position, piece, attributes or {})
            position += len(piece.encode())
        else:
            target.insert_embed(position, piece, attributes)
            position += 1


def _fragment(target: Any, source: Any) -> None:
    if str(target) == str(source):
        return
    if len(target.children):
        del target.children[0 : len(target.children)]
    for child in source.children:
        if isinstance(child, XmlText):
            _text(target.children.append(XmlText("")), child)
        elif isinstance(child, XmlElement):
            attributes: dict[str, Any] = {key: value for key, value in cast(Any, child.attributes)}  # noqa: C416
            made = target.children.append(XmlElement(child.tag, attributes))
            _fragment(made, child)


def _put(target: Any, place: Any, value: Any, assign: Callable[[Any, Any], object]) -> None:
    """A copy of `value` at its place: shared types become new ones of the same content."""
    match value:
        case Map() | Array() | Text():
            assign(place, type(value)())
            _become(target[place], value)
        case XmlElement() | XmlFragment() | XmlText():
            assign(place, str(value))
        case _:
            assign(place, plain(value) if isinstance(value, float) else value)


def _characters(text: Any) -> list[tuple[Any, dict[str, Any] | None]]:
    """One entry for each character or embedded object, with its marks."""
    return [
        (piece, attributes)
        for chunk, attributes in text.diff()
        for piece in (chunk if isinstance(chunk, str) else [chunk])
    ]


def _bytes(characters: list[tuple[Any, Any]]) -> int:
    """pycrdt counts positions in bytes of UTF-8; an embedded object is one."""
    return sum(len(piece.encode()) if isinstance(piece, str) else 1 for piece, _ in characters)


def _same(have: list[Any], want: list[Any]) -> tuple[int, int]:
    """Lengths of the common beginning and of the common end behind it."""
    shorter = min(len(have), len(want))
    start = next((i for i in range(shorter) if have[i] != want[i]), shorter)
    left = shorter - start
    end = next((i for i in range(left) if have[-1 - i] != want[-1 - i]), left)
    return start, end
