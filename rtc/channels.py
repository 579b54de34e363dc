"""The face of a data channel, free of the library that carries it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

# Bytes one peer may have waiting over all its channels. aiortc ignores the receiver's window and rescans its
# queue on every SACK, so a deep queue costs CPU for everybody on the loop.
MAX_BUFFERED = 256 * 1024


class DataChannel(Protocol):
    """One open channel. Exceptions of the callbacks are logged and contained."""

    on_message: Callable[[bytes | str], None] | None
    on_close: Callable[[], None] | None
    on_drained: Callable[[], None] | None
    """Called when `buffered_amount` has fallen below a quarter of the bound."""

    @property
    def label(self) -> str: ...

    @property
    def protocol(self) -> str: ...

    @property
    def buffered_amount(self) -> int:
        """Bytes that the peer's transport has queued, over all of the peer's channels."""

    @property
    def open(self) -> bool: ...

    def send(self, data: bytes | str) -> None:
        """Queue one message. Raises ChannelFull over MAX_BUFFERED, TransportError when closed."""

    def close(self) -> None: ...
