"""Structured logs on stderr: JSON for machines, colours for people.

No tokens, no secrets, no addresses, no names: an event name and what is needed to act on it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import structlog
from structlog.typing import Processor

# aiohttp logs subprotocols (which may hold a token) and addresses, asyncio what it was doing to whom; what
# matters of it we log ourselves.
SILENCED = ("aiohttp", "asyncio", "aioice", "aiortc")
# Local variables hold tokens, keys and what people wrote: a traceback shows where, not what.
_TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def configure(level: str, style: str) -> None:
    """`level` as in Python's logging; `style` is json, console or auto (console on a terminal)."""
    if style == "auto":
        style = "console" if sys.stderr.isatty() else "json"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    if style == "console":
        formatter = structlog.dev.RichTracebackFormatter(show_locals=False)
        rendered: list[Processor] = [structlog.dev.ConsoleRenderer(exception_formatter=formatter)]
    else:
        rendered = [structlog.processors.ExceptionRenderer(_TRACEBACKS), structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def loop_failed(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """For `loop.set_exception_handler`: exceptions that nobody awaited, without the objects around them."""
    log = structlog.get_logger("hubbub.loop")
    log.error("loop_failed", message=context.get("message"), exc_info=context.get("exception"))
