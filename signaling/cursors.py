"""Cursors: where a reader of the log is, as an opaque text that goes through URLs and `id:` lines.

Each store numbers its entries over all topics (`seq`), in the order in which they become visible. So one
number says how far a reader is in every topic at once, and the same `id:` line serves all readers of an
entry, whatever else they read. A cursor holds one such number per store, and a tag of the topic it was made
for: rooms accept only their own (protocol section 3), SSE streams do not look at it.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

TAG_BYTES = 6
# 48 bits: a store that is made anew is never taken for the one it replaces.
EPOCH_BYTES = 6
# 48 bits: at a million entries a second, nine years.
SEQ_BYTES = 6
PART_BYTES = EPOCH_BYTES + SEQ_BYTES
# A log has one or two stores; whatever is longer is none of ours.
MAX_PARTS = 8
MAX_TEXT = (TAG_BYTES + MAX_PARTS * PART_BYTES) * 4 // 3 + 4


class Cursor:
    """`positions` maps the epoch of a store to the seq of the last entry seen in it."""

    __slots__ = ("positions", "tag")

    def __init__(self, tag: bytes, positions: Mapping[bytes, int]) -> None:
        self.tag = tag
        self.positions = dict(positions)

    def __str__(self) -> str:
        parts = [epoch + seq.to_bytes(SEQ_BYTES, "big") for epoch, seq in self.positions.items()]
        return urlsafe_b64encode(self.tag + b"".join(parts)).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """None for everything that `str` of a cursor never makes."""
        raw = _decode(text)
        if raw is None or len(raw) < TAG_BYTES + PART_BYTES or (len(raw) - TAG_BYTES) % PART_BYTES:
            return None
        positions = {
            raw[at : at + EPOCH_BYTES]: int.from_bytes(raw[at + EPOCH_BYTES : at + PART_BYTES], "big")
            for at in range(TAG_BYTES, len(raw), PART_BYTES)
        }
        return cls(raw[:TAG_BYTES], positions)


@lru_cache(maxsize=4096)
def tag_of(topic: str) -> bytes:
    """A short digest: cursors stay short, and topics' names do not leak by them."""
    return blake2b(topic.encode(), digest_size=TAG_BYTES).digest()


def cursor_of(topic: str, epoch: bytes, seq: int) -> str:
    """The cursor behind one entry."""
    raw = tag_of(topic) + epoch + seq.to_bytes(SEQ_BYTES, "big")
    return urlsafe_b64encode(raw).decode()  # 18 bytes: no padding


def _decode(text: str) -> bytes | None:
    if len(text) > MAX_TEXT or not text.isascii():
        return None
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    # base64 decoders skip what they do not know; a cursor has exactly one spelling.
    return raw if urlsafe_b64encode(raw).rstrip(b"=").decode() == text else None
