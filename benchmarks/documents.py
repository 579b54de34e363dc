"""Documents against Hocuspocus 4 and @y/websocket-server in one run.

    python -m benchmarks.documents [--peers DIRECTORY] [--seconds 5]

Two loads: (a) one writer and many readers of a document, deliveries per CPU-second of the server, and (b) one
hundred writers, each in a document of its own and each waiting for its acknowledgement, updates per
CPU-second. CPU is utime + stime of the server process with all threads. `--peers` names a directory whose
node_modules has the other servers; without it only hubbub is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import jwt
from pycrdt import Doc, Text

from signaling.documents import hocuspocus, messages

KEY, SECRET = "bench", "a secret of the benchmark that is long enough"
TICKS = os.sysconf("SC_CLK_TCK")
WRITERS = 100


def cpu(pid: int) -> float:
    """Seconds of CPU that the process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def bearer() -> str:
    claims = {"sub": "bench", "exp": int(time.time()) + 3600, "docs": [{"name": "*", "access": "write"}]}
    return jwt.encode(claims, SECRET, algorithm="HS256", headers={"kid": KEY})


class Target:
    """How a server is started and spoken to."""

    def __init__(self, name: str, command: list[str], cwd: Path | None, path: str, prefixed: bool) -> None:
        self.name = name
        self.command = command
        self.cwd = cwd
        self.path = path
        self.prefixed = prefixed

    def url(self, port: int, document: str) -> str:
        return f"ws://127.0.0.1:{port}{self.path.format(document=document)}"

    def wrap(self, document: str, body: bytes) -> bytes:
        return hocuspocus.prefix(document) + body if self.prefixed else body

    def is_update(self, document: str, data: bytes) -> bool:
        start = len(hocuspocus.prefix(document)) if self.prefixed else 0
        return data[start : start + 2] == b"\x00\x02"


@asynccontextmanager
async def started(target: Target, port: int) -> AsyncIterator[int]:
    """The process id, when its port answers."""
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **os.environ,
            "PORT": str(port),
            "HOST": "127.0.0.1",
            "HUBBUB_API_KEYS": f"{KEY}:{SECRET}",
            "HUBBUB_DATA_DIR": directory,
            "BENCH_DIRECTORY": directory,
        }
        process = await asyncio.create_subprocess_exec(
            *[part.format(port=port) for part in target.command],
            cwd=target.cwd,
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            while not await _answers(port):
                await asyncio.wait([asyncio.create_task(process.wait())], timeout=0.1)
            yield process.pid
        finally:
            process.kill()
            await process.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


class Connection:
    def __init__(self, target: Target, document: str, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.target = target
        self.document = document
        self.ws = ws

    async def say(self, body: bytes) -> None:
        await self.ws.send_bytes(self.target.wrap(self.document, body))

    async def update(self) -> None:
        """Wait for the next one; merged ones count once, which favours nobody who merges."""
        while not self.target.is_update(self.document, (await self.ws.receive()).data):
            pass


async def connect(http: aiohttp.ClientSession, target: Target, port: int, document: str) -> Connection:
    ws = await http.ws_connect(target.url(port, document), max_msg_size=0, compress=0)
    connection = Connection(target, document, ws)
    if target.prefixed:
        await connection.say(hocuspocus.auth(bearer()))
    await connection.say(messages.sync_step_1(b"\x00"))
    return connection


async def fan_out(target: Target, port: int, pid: int, readers: int, rate: int, seconds: float) -> str:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        listening = [await connect(http, target, port, "fan") for _ in range(readers)]
        writer = await connect(http, target, port, "fan")
        delays: list[float] = []
        sent: dict[bytes, float] = {}
        counting = [asyncio.create_task(_count(one, sent, delays)) for one in listening]
        before, started_at = cpu(pid), time.monotonic()
        made, doc = _author()
        for number in range(int(rate * seconds)):
            doc.get("text", type=Text).insert(0, f"{number:06d}")
            sent[f"{number:06d}".encode()] = time.monotonic()
            await writer.say(messages.update(made.pop()))
            await asyncio.sleep(max(0.0, started_at + (number + 1) / rate - time.monotonic()))
        await asyncio.sleep(0.5)
        spent = cpu(pid) - before
        for task in counting:
            task.cancel()
        delays.sort()
        p99 = delays[int(len(delays) * 0.99)] * 1000 if delays else 0.0
        return f"{len(delays) / spent / 1000:8.0f} thousand deliveries/CPU-s, p99 {p99:6.1f} ms"


async def _count(connection: Connection, sent: dict[bytes, float], delays: list[float]) -> None:
    """Every six digits that arrive are one update, merged or not."""
    async for message in connection.ws:
        now = time.monotonic()
        data = message.data
        if connection.target.is_update(connection.document, data):
            delays.extend(now - at for word, at in list(sent.items())[-50:] if word in data)


def _author() -> tuple[list[bytes], Doc[Text]]:
    made: list[bytes] = []
    doc: Doc[Text] = Doc()
    doc.get("text", type=Text)
    doc.observe(lambda event: made.append(event.update))
    return made, doc


async def closed_loop(target: Target, port: int, pid: int, seconds: float) -> str:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        writers = [await connect(http, target, port, f"loop-{number}") for number in range(WRITERS)]
        before, end = cpu(pid), time.monotonic() + seconds
        counts = await asyncio.gather(*[_write_until(one, end) for one in writers])
        return f"{sum(counts) / (cpu(pid) - before) / 1000:8.1f} thousand acknowledged updates/CPU-s"


async def _write_until(connection: Connection, end: float) -> int:
    made, doc = _author()
    count = 0
    while time.monotonic() < end:
        doc.get("text", type=Text).insert(0, "x")
        await connection.say(messages.update(made.pop()))
        await connection.update()
        count += 1
    return count


HOCUSPOCUS = """
import { Server } from '@hocuspocus/server'; import { SQLite } from '@hocuspocus/extension-sqlite'
new Server({ port: +process.env.PORT, quiet: true,
  extensions: [new SQLite({ database: process.env.BENCH_DIRECTORY + '/h.sqlite' })] }).listen()
"""
YWS = """
import { WebSocketServer } from 'ws'; import { setupWSConnection } from '@y/websocket-server/utils'
new WebSocketServer({ port: +process.env.PORT, perMessageDeflate: false })
  .on('connection', (ws, request) => setupWSConnection(ws, request))
"""


def targets(peers: Path | None) -> list[Target]:
    ours = [sys.executable, "-m", "signaling.cli", "serve", "--host", "127.0.0.1", "--port", "{port}"]
    found = [Target("hubbub", ours, None, "/v1/docs/{document}?token=" + bearer(), False)]
    if peers is not None:
        for name, script, path, prefixed in (
            ("hocuspocus 4 + SQLite", HOCUSPOCUS, "/", True),
            ("@y/websocket-server", YWS, "/{document}", False),
        ):
            command = ["node", "--input-type=module", "-e", script.replace("{", "{{").replace("}", "}}")]
            found.append(Target(name, command, peers, path, prefixed))
    return found


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--readers", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--rates", type=int, nargs="*", default=[20, 100])
    options = parser.parse_args()
    port = 23000 + os.getpid() % 5000
    for target in targets(options.peers):
        for readers in options.readers:
            for rate in options.rates:
                port += 1
                async with started(target, port) as pid:
                    result = await fan_out(target, port, pid, readers, rate, options.seconds)
                print(f"(a) {target.name:24} {readers:5} readers {rate:4}/s {result}", flush=True)
        port += 1
        async with started(target, port) as pid:
            print(f"(b) {target.name:24} {await closed_loop(target, port, pid, options.seconds)}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
