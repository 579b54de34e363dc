"""Sends long work on documents to the workroom's process, which is started when there is some."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import IO

import msgspec

from signaling.documents.lib0 import Malformed
from signaling.documents.workroom import Answer, Request, read, write
from signaling.errors import unavailable

# Seconds without work after which the process is ended: it takes some 30 MB.
IDLE_SECONDS = 60.0
# Seconds that one piece of work may take: what is longer is hostile, and ends with the process.
PATIENCE_SECONDS = 60.0


class Workroom:
    """One process, one piece of work at a time, in the order of the calls."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    async def ask(self, request: Request) -> Answer:
        """Raises Malformed for an update that must not be taken, HubbubError unavailable when the process
        cannot do it: it may have died of the work itself."""
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            loop = asyncio.get_running_loop()
            patience = loop.call_later(PATIENCE_SECONDS, self._kill)
            try:
                answer = await asyncio.to_thread(self._exchange, request)
            finally:
                patience.cancel()
            self._idle = loop.call_later(IDLE_SECONDS, self._end)
        if answer.malformed is not None:
            raise Malformed(answer.malformed)
        return answer

    async def close(self) -> None:
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            await asyncio.to_thread(self._end)

    def _exchange(self, request: Request) -> Answer:
        """On a thread: pipes of the process are read and written without the interpreter's lock."""
        process = self._process or self._begin()
        try:
            write(_pipe(process.stdin), request)
            body = read(_pipe(process.stdout))
        except OSError:
            body = b""
        if not body:
            self._end()
            raise unavailable("the process that works on large documents has failed")
        return msgspec.msgpack.decode(body, type=Answer)

    def _begin(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "signaling.documents.workroom"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self._process

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            _pipe(process.stdin).close()
            _pipe(process.stdout).close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "the process is started with pipes"
    return stream
