"""The compiled crate `rtc/dataplane`, as Python sees it. `rtc/plane.py` is its only importer."""

from typing import Any, Literal, TypeAlias, final

__all__ = ["Dataplane", "QueueFull"]

_Kind: TypeAlias = Literal["audio", "video"]
_Payload: TypeAlias = tuple[int, str, int, int, int | None, bool, bool, bool]
"""Payload type, codec, codec key, clock rate, RTX payload type, nack, pli, transport-cc."""

class QueueFull(Exception):
    """The command queue of the worker is full (65,536 commands): nothing was done, ask again later."""

@final
class Dataplane:
    """Sockets, workers and queues. No call waits; handles are never reused.

    Commands for a handle that is gone are ignored: they race with the events that say so.
    """

    def __new__(cls, *, addresses: list[str], port: int, workers: int, tcp: bool) -> Dataplane:
        """Raises OSError when an address cannot be bound and ValueError when one is none."""

    @property
    def event_fd(self) -> int:
        """Readable while events wait. Belongs to this object: do not close it, do not read it."""

    def ports(self) -> list[int]:
        """The port of each worker, UDP and TCP alike."""

    def poll_events(self, limit: int) -> list[tuple[Any, ...]]:
        """Take up to `limit` events; the first item of each is its name in snake_case."""

    def counters(self) -> dict[str, int]:
        """What was counted since the start, over all workers."""

    def close(self) -> None:
        """End the workers and close the sockets. A second call does nothing."""

    def add_room(self) -> int: ...
    def worker_of(self, room: int) -> int: ...
    def remove_room(self, room: int) -> None: ...
    def add_transport(self, room: int, ufrag: str, pwd: str) -> int: ...
    def restart_ice(self, transport: int, ufrag: str, pwd: str) -> None: ...
    def close_transport(self, transport: int) -> None: ...
    def send_dtls(self, transport: int, data: bytes) -> None: ...
    def set_srtp(
        self,
        transport: int,
        profile: int,
        local_key: bytes,
        local_salt: bytes,
        remote_key: bytes,
        remote_salt: bytes,
    ) -> None: ...
    def set_extensions(
        self, transport: int, incoming: list[tuple[int, str]], outgoing: list[tuple[int, str]]
    ) -> None: ...
    def add_source(
        self,
        transport: int,
        kind: _Kind,
        mid: str,
        rid: str | None,
        ssrc: int | None,
        rtx_ssrc: int | None,
        payloads: list[_Payload],
        participant: int,
    ) -> int: ...
    def remove_source(self, source: int) -> None: ...
    def pause_source(self, source: int, paused: bool) -> None: ...
    def add_sink(
        self,
        transport: int,
        kind: _Kind,
        mid: str,
        ssrc: int,
        rtx_ssrc: int | None,
        payloads: list[_Payload],
    ) -> int: ...
    def remove_sink(self, sink: int) -> None: ...
    def route(
        self,
        sink: int,
        sources: list[int],
        max_height: int | None,
        max_fps: int | None,
        priority: int,
    ) -> None: ...
    def request_stats(self, token: int, transport: int | None, room: int | None) -> None: ...
    def fail_worker(self, worker: int) -> None:
        """Have a worker hit a bug, for the tests of what happens then."""
