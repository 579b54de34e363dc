"""Waiting for something that becomes true by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.signaling.serving import SECONDS


async def until(condition: Callable[[], object]) -> None:
    """Let everything else run until `condition()` holds. Raises TimeoutError after ten seconds."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - any condition, told by nobody
            await asyncio.sleep(0.001)
