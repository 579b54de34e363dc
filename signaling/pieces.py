"""Pieces of text on their way into a token stream: what comes within a moment becomes one.

The first piece passes at once; what follows within the window is joined. Clock-free: who owns it calls `close`
when a window that `add` opened is over.
"""

from __future__ import annotations

# Seconds: readers see text flow at up to 30 pieces a second, however finely the model cuts it.
WINDOW_SECONDS = 0.03


class Pieces:
    """Texts that are waiting for their window to end."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._open = False

    def add(self, text: str) -> str | None:
        """The text to pass on now, and then a window begins; None when one is open and it has to wait."""
        if self._open:
            self._waiting.append(text)
            return None
        self._open = True
        return text

    def close(self) -> str:
        """The window is over: what came within it. A new one begins unless that is nothing."""
        joined = self.take()
        self._open = bool(joined)
        return joined

    def take(self) -> str:
        """What is waiting, whether its window is over or not."""
        joined = "".join(self._waiting)
        self._waiting.clear()
        return joined
