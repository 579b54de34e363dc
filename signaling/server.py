"""The one driver: owns everything that lives, starts it in order, ends it in reverse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import structlog
from pycrdt import Doc

from rtc.conference import DataChannel, MediaEngine, MediaSettings
from signaling import attendance
from signaling.channel_door import ChannelDoor
from signaling.config import Settings
from signaling.connections import Connections
from signaling.documents.channel import LABEL_PREFIX as DOCUMENT_LABEL
from signaling.documents.channel import ChannelDoor as DocumentChannel
from signaling.documents.library import Documents
from signaling.errors import CloseCode, unauthorized
from signaling.eventlog import EventLog
from signaling.generators import Generators
from signaling.hosting import Hosting
from signaling.http.app import build_app
from signaling.http.listener import Listener
from signaling.http.posting import Poster
from signaling.ice_servers import ice_servers
from signaling.metrics import Level, Metrics
from signaling.outbox import frame
from signaling.participant import Participant
from signaling.revocations import Kind, Revocations
from signaling.room import Room
from signaling.storage.database import Database
from signaling.storage.documents import DocumentStore
from signaling.storage.revocations import RevocationStore
from signaling.storage.webhooks import WebhookStore
from signaling.streams import Streams
from signaling.tokens import Claims
from signaling.webhooks import Webhooks

log = structlog.get_logger("hubbub.server")
# Seconds between looks at what expires. Connections end this much before their token does, never after it.
TICK_SECONDS = 0.1


class Server:
    """One node. `clock` answers Unix seconds."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.clock = clock
        self.keyring = settings.keyring
        self.revocations = Revocations()
        self.connections = Connections()
        self.database = Database(settings.data_dir / "hubbub.sqlite3")
        self._revoked = RevocationStore(self.database)
        self.log = EventLog(self.database, clock=clock)
        self.streams = Streams(self.log)
        self.generators = Generators(self.streams)
        self.generators.load(settings.handlers)
        self._poster = Poster()
        self.webhooks = Webhooks(
            self.log,
            WebhookStore(self.database),
            settings.webhook_urls,
            settings.webhook_secret.get_secret_value(),
            self._poster.post,
            clock,
        )
        self.documents = Documents(DocumentStore(self.database), clock=clock)
        self.media = MediaEngine(_media_settings(settings)) if settings.media else None
        self.hosting = Hosting(
            events=self.log,
            engine=self.media,
            capacity=settings.room_participants,
            clock=clock,
            verify=self.verify,
            ice_servers=self.ice_servers,
            on_channel=self._channel_opened,
        )
        self.metrics = Metrics(self._levels(), lambda: {} if self.media is None else self.media.counters())
        self.draining = False
        self.serving = False
        self.app = build_app(self)
        self._listener = Listener(self.app, settings.host, settings.port)
        self._ticking: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        return self.serving and not self.draining

    @property
    def url(self) -> str:
        """Base URL of the listener; only after `start`."""
        return self._listener.url

    def verify(self, token: str) -> Claims:
        """Claims of a token that is signed, in time and not revoked. Raises HubbubError unauthorized."""
        claims = self.keyring.verify(token, self.clock())
        if self.revocations.refuses(claims):
            raise unauthorized("token was revoked")
        return claims

    def _levels(self) -> dict[str, tuple[str, Level]]:
        def participants() -> int:
            return sum(len(room.people) for room in self.hosting.rooms)

        return {
            "hubbub_connections": ("Open connections of every kind", lambda: len(self.connections)),
            "hubbub_rooms": ("Rooms that somebody is in", lambda: len(self.hosting)),
            "hubbub_participants": ("Participants over all rooms", participants),
        }

    def ice_servers(self, identity: str) -> list[dict[str, Any]]:
        """ICE servers with fresh credentials."""
        secret = self.settings.turn_secret.get_secret_value()
        return ice_servers(self.settings.turn_urls, secret, identity, self.clock())

    def _channel_opened(self, room: Room, participant: Participant, channel: DataChannel) -> None:
        """Data channels are doors by their label (protocol section 3); others are closed."""
        if channel.label == "events":
            ChannelDoor(channel, room, participant, self.hosting, self.clock, self.metrics.observe)
        elif channel.label.startswith(DOCUMENT_LABEL):
            DocumentChannel(self.documents, channel, participant.claims)
        else:
            channel.close()

    def document(self, name: str) -> AbstractAsyncContextManager[Doc[Any]]:
        """A document for server-side code: `async with server.document("notes") as doc`."""
        return self.documents.edit(name)

    async def revoke(self, kind: Kind, value: str) -> None:
        """Refuse tokens of an identity (`sub`) or one token (`jti`), now and after a restart."""
        entry = self.revocations.revoke(kind, value, self.clock())
        self.connections.end_refused(self.revocations)
        await self._revoked.add(entry)

    async def start(self) -> None:
        """Open storage, media and the listener. Raises OSError when a port or a directory cannot be had."""
        self.settings.data_dir.mkdir(parents=True, exist_ok=True)
        await self.database.start()
        for entry in await self._revoked.load(self.clock()):
            self.revocations.add(entry)
        await self.log.start()
        await self.documents.start()
        await self.webhooks.start()
        left_behind = await attendance.clear(self.log)
        await self.streams.start()
        if self.media is not None:
            await self.media.start()
        await self._listener.start()
        self._ticking = asyncio.create_task(self._tick())
        self.serving = True
        log.info("serving", dev=self.settings.dev, left_behind=left_behind)

    async def drain(self) -> None:
        """Let nobody in, tell everybody, and wait until they have left or the grace period is over."""
        self.draining = True
        grace = self.settings.grace_ms / 1000
        deadline = int((self.clock() + grace) * 1000)
        log.info("draining", connections=len(self.connections))
        self.hosting.drain(frame({"type": "server.draining", "deadline_ms": deadline}))
        empty = asyncio.Event()
        self.connections.on_empty = empty.set
        with suppress(TimeoutError):
            async with asyncio.timeout(grace if len(self.connections) else 0):
                await empty.wait()

    async def close(self) -> None:
        """End everything that lives, connections first."""
        self.draining = True
        if self._ticking is not None:
            self._ticking.cancel()
        await self.hosting.close()
        await self.streams.close()
        await self.generators.close()
        self.connections.close_all(CloseCode.DRAINING, "the server is going down")
        await self._listener.close()
        if self.media is not None:
            await self.media.close()
        await self.documents.close()
        await self.webhooks.close()
        await self._poster.close()
        await self.log.close()
        await self.database.close()
        self.serving = False

    async def _tick(self) -> None:
        while True:
            self.connections.expire(self.clock() + TICK_SECONDS)
            await asyncio.sleep(TICK_SECONDS)


def _media_settings(settings: Settings) -> MediaSettings:
    loopback = settings.host in ("127.0.0.1", "::1", "localhost")
    return MediaSettings(
        addresses=settings.media_host or (("127.0.0.1",) if settings.dev and loopback else ("0.0.0.0",)),
        port=settings.media_port,
        workers=settings.media_workers,
        public_ips=settings.public_ip,
        loopback=loopback,
    )
