"""Posts to other servers: what webhooks go out by."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

# Seconds for one attempt as a whole: a receiver that works longer should answer first.
ATTEMPT_SECONDS = 10.0


class Poster:
    """One connection pool. `close` at the end."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer. Redirects are not followed. Raises OSError or TimeoutError without one."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=ATTEMPT_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False)
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status
        except aiohttp.ClientError as problem:
            raise OSError(str(problem) or type(problem).__name__) from problem

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
