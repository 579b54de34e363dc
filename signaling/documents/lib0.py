"""lib0's encoding, as far as the Yjs protocols use it: unsigned varints, strings, byte strings.

Pure and bounds-checked: whatever bytes come in, the result is a value or Malformed. Numbers have at most 53
bits, since that is what JavaScript clients can hold.
"""

from __future__ import annotations

MAX_UINT = 2**53 - 1


class Malformed(ValueError):
    """Bytes from the network that do not say what they must. The peer's fault, always."""


def write_uint(value: int) -> bytes:
    """Seven bits a byte, low bits first, the high bit says that more follow. Raises ValueError outside 53 bits."""
    if 0 <= value < 0x80:
        return _ONE_BYTE[value]
    if not 0 <= value <= MAX_UINT:
        raise ValueError(f"{value} is not an unsigned number of 53 bits")
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def write_bytes(value: bytes) -> bytes:
    return write_uint(len(value)) + value


def write_string(value: str) -> bytes:
    """The length counts bytes of UTF-8, not characters."""
    return write_bytes(value.encode())


class Reader:
    """Reads one message from its front. Every method raises Malformed when the bytes run out."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    @property
    def at_end(self) -> bool:
        return self.position >= len(self.data)

    def uint(self) -> int:
        data, position = self.data, self.position
        if position < len(data) and data[position] < 0x80:
            self.position = position + 1
            return data[position]
        value = shift = 0
        for byte in data[position : position + _MAX_UINT_BYTES]:
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value > MAX_UINT:
                    break
                self.position = position
                return value
            shift += 7
        raise Malformed("number cut short or longer than 53 bits")

    def blob(self) -> bytes:
        return self.take(self.uint())

    def string(self) -> str:
        try:
            return str(self.blob(), "utf-8")
        except UnicodeDecodeError:
            raise Malformed("string is not UTF-8") from None

    def take(self, length: int) -> bytes:
        start = self.position
        end = start + length
        if end > len(self.data):
            raise Malformed(f"{length} bytes announced, {len(self.data) - start} left")
        self.position = end
        return self.data[start:end]


_ONE_BYTE = [bytes([value]) for value in range(0x80)]
# 53 bits are eight groups of seven.
_MAX_UINT_BYTES = 8
