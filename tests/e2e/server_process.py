"""The real server in a process of its own, as an operator starts it."""

import asyncio
import contextlib
import os
import re
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jwt

KEY_ID = "test-key"
SECRET = "a secret of the tests that is long enough for HS256"
ALL_GRANTS = ["publish", "subscribe", "chat", "docs:read", "docs:write", "record"]


def free_port() -> int:
    """A port that was free for TCP and UDP a moment ago: a restarted server must come back on its own."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port


def token(
    identity: str, room: str = "demo", *, seconds: float = 3600, secret: str = SECRET, **claims: object
) -> str:
    body = {"sub": identity, "room": room, "exp": int(time.time() + seconds), "grants": ALL_GRANTS, **claims}
    return jwt.encode(body, secret, algorithm="HS256", headers={"kid": KEY_ID})


class ServerProcess:
    """`hubbub serve` on loopback. `start` returns when it has printed that it listens; `kill` is SIGKILL."""

    def __init__(self, data_dir: Path, arguments: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.media_port = free_port()
        self.data_dir = data_dir
        self.arguments = list(arguments)
        self.process: asyncio.subprocess.Process | None = None
        self.output: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/ws"

    async def start(self) -> "ServerProcess":
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("HUBBUB_")},
            "HUBBUB_HOST": "127.0.0.1",
            "HUBBUB_PORT": str(self.port),
            "HUBBUB_MEDIA_PORT": str(self.media_port),
            "HUBBUB_PUBLIC_IP": "127.0.0.1",
            "HUBBUB_DATA_DIR": str(self.data_dir),
            "HUBBUB_API_KEYS": f"{KEY_ID}:{SECRET}",
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "signaling.cli", "serve", *self.arguments,
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, limit=1 << 24,
        )  # fmt: skip
        listening = asyncio.Event()
        self._reader = asyncio.create_task(self._read(listening))
        async with asyncio.timeout(30):
            waiting = asyncio.create_task(listening.wait())
            await asyncio.wait({waiting, self._reader}, return_when=asyncio.FIRST_COMPLETED)
        assert listening.is_set(), "the server ended:\n" + "".join(self.output[-40:])
        return self

    async def _read(self, listening: asyncio.Event) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.output.append(line.decode(errors="replace"))
            if re.search(rb"listening on http", line):
                listening.set()

    async def kill(self) -> None:
        await self._end("kill")

    async def stop(self) -> None:
        await self._end("terminate")

    async def _end(self, how: str) -> None:
        if self.process is None:
            return
        if self.process.returncode is None:
            getattr(self.process, how)()
            try:
                async with asyncio.timeout(20):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
                raise
        await self._reader
        self.process = None

    async def restart(self) -> None:
        await self.kill()
        await self.start()
