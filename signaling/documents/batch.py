"""What goes out to a document's connections, encoded once for each door and not once for each reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class Batch:
    """Messages (bodies as y-websocket has them) that a document sends in one go."""

    __slots__ = ("_wires", "messages")

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.messages = messages
        self._wires: dict[str, bytes] = {}

    def wire(self, door: str, frame: Callable[[bytes], bytes]) -> bytes:
        """All of them in the frames of one door (and address there), made at the first reader."""
        wire = self._wires.get(door)
        if wire is None:
            wire = self._wires[door] = b"".join([frame(message) for message in self.messages])
        return wire
