"""Webhooks: room events told to URLs. One more reader of the log, with a cursor per URL that is kept.

In order per room, at least once: a room's next event goes out when the one before was answered 2xx. An event
that is not is tried again with growing pauses for 24 hours, then it is a dead letter and the room goes on.
Other rooms do not wait meanwhile.
"""

from __future__ import annotations

import asyncio
import hmac
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256

import structlog

from signaling.entry import Entry
from signaling.errors import HubbubError
from signaling.eventlog import EventLog
from signaling.storage.webhooks import DeadLetter, Queued, WebhookStore

log = structlog.get_logger("hubbub.webhooks")
PREFIX = "room:"
FIRST_PAUSE_MS = 1_000
LONGEST_PAUSE_MS = 3600 * 1000
GIVE_UP_MS = 24 * 3600 * 1000
# Rooms whose events are on their way to one URL at the same time.
PARALLEL = 16
# Seconds between looks at what is due, and after a failure of storage.
LOOK_SECONDS = 1.0

# Posts a body to a URL: answers the status; raises OSError or TimeoutError where there is none.
Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[int]]


def signature(secret: str, body: bytes, at: int) -> str:
    """`t=<Unix seconds>,v1=<hex>`: HMAC-SHA256 over `<t>.<body>`, so that a copy cannot be sent again later."""
    digest = hmac.new(secret.encode(), b"%d." % at + body, sha256).hexdigest()
    return f"t={at},v1={digest}"


def pause_ms(attempts: int, jitter: float) -> int:
    """The pause behind that many failed attempts; `jitter` from 0 to 1 takes up to half of it off."""
    longest = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** min(attempts, 30))
    return int(longest * (1 - jitter / 2))


class Webhooks:
    """`clock` answers Unix seconds."""

    def __init__(
        self,
        log: EventLog,
        store: WebhookStore,
        urls: Sequence[str],
        secret: str,
        post: Post,
        clock: Callable[[], float],
    ) -> None:
        self._log = log
        self._store = store
        self._targets = [_Target(store, url, secret, post, clock) for url in urls]
        self._clock = clock
        self._unwatch: Callable[[], None] | None = None

    async def start(self) -> None:
        await self._store.start([target.url for target in self._targets])
        self._unwatch = self._log.watch(self._appended)
        for target in self._targets:
            target.start()

    async def close(self) -> None:
        """Give up what is on its way; it is told again at the next start."""
        if self._unwatch is not None:
            self._unwatch()
        for target in self._targets:
            await target.close()

    async def status(self) -> list[dict[str, object]]:
        counts = await self._store.counts()
        return [
            {"url": target.url, **dict(zip(("waiting", "dead", "error"), counts[target.url], strict=True))}
            for target in self._targets
        ]

    async def dead(self, before: int | None, limit: int) -> list[DeadLetter]:
        return await self._store.dead(before, limit)

    async def replay(self, letter: int | None = None) -> int:
        """Try dead letters again, one or all; answers how many. They are 24 hours old again only tomorrow."""
        replayed = await self._store.replay(letter, int(self._clock() * 1000))
        for target in self._targets:
            target.wake()
        return replayed

    def _appended(self, entry: Entry) -> None:
        if entry.topic.startswith(PREFIX):
            for target in self._targets:
                target.wake()


class _Target:
    """One URL: takes over what the log has for it, and runs a lane per room that has something due."""

    def __init__(
        self, store: WebhookStore, url: str, secret: str, post: Post, clock: Callable[[], float]
    ) -> None:
        self.url = url
        self._store = store
        self._secret = secret
        self._post = post
        self._clock = clock
        self._wake = asyncio.Event()
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._wake.set()
        self._running = asyncio.create_task(self._run())

    def wake(self) -> None:
        self._wake.set()

    async def close(self) -> None:
        tasks = [task for task in (self._running, *self._lanes.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._look()
            except HubbubError as error:
                # Storage fails, which is told to those who write; here it is simply tried again.
                log.error("webhook_storage_failed", error=error.message)
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        while await self._store.transfer(self.url, PREFIX, self._now_ms()):
            pass
        for head in await self._store.heads(self.url):
            if len(self._lanes) >= PARALLEL:
                break
            if head.topic not in self._lanes and head.due_ms <= self._now_ms():
                lane = asyncio.create_task(self._deliver(head.topic))
                self._lanes[head.topic] = lane
                lane.add_done_callback(partial(self._ended, head.topic))

    def _ended(self, topic: str, _: asyncio.Task[None]) -> None:
        del self._lanes[topic]
        # A place is free, and the room may have had something new after its lane looked last.
        self._wake.set()

    async def _deliver(self, topic: str) -> None:
        """A room's events one after the other, until there are none or one has to wait."""
        with suppress(HubbubError):
            while (queued := await self._store.head(self.url, topic)) is not None:
                if queued.due_ms > self._now_ms():
                    return
                error = await self._attempt(queued)
                if error is None:
                    await self._store.delivered(self.url, queued)
                else:
                    await self._failed(queued, error)

    async def _attempt(self, queued: Queued) -> str | None:
        """None when the event was taken, else what went wrong."""
        at = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "Hubbub-Signature": signature(self._secret, queued.event, at),
            "Hubbub-Attempt": str(queued.attempts + 1),
        }
        try:
            status = await self._post(self.url, queued.event, headers)
        except (OSError, TimeoutError) as problem:
            return f"{type(problem).__name__}: {problem}"[:200]
        return None if 200 <= status < 300 else f"status {status}"

    async def _failed(self, queued: Queued, error: str) -> None:
        now_ms = self._now_ms()
        if now_ms - queued.queued_ms >= GIVE_UP_MS:
            log.warning("webhook_dead_letter", attempts=queued.attempts + 1, error=error)
            await self._store.give_up(self.url, queued, now_ms, error)
        else:
            due_ms = now_ms + pause_ms(queued.attempts, random.random())
            await self._store.postpone(self.url, queued, due_ms, error)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
