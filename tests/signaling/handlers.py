"""A module of token stream handlers, as deployments name them in HUBBUB_HANDLERS."""

from __future__ import annotations

from collections.abc import AsyncIterator

from signaling.generators import Generation, Generators


async def echo(generation: Generation) -> AsyncIterator[str]:
    yield generation.body


def register(generators: Generators) -> None:
    generators.register("echo", echo)
