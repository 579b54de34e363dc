"""The command `hubbub`."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer
from pydantic import SecretStr, ValidationError

from signaling.config import CONFIG_VARIABLE, Settings
from signaling.errors import HubbubError
from signaling.logs import configure, loop_failed
from signaling.server import Server
from signaling.tokens import GRANTS, MAX_LIFETIME, unknown_grants

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
NO_KEYS = """\
No API keys: nobody could prove who they are. Set some, for example

    export HUBBUB_API_KEYS="main:$(openssl rand -hex 32)"

(id:secret, comma separated, each secret at least 32 bytes), or give --api-keys, or api_keys in the file that
HUBBUB_CONFIG names. To try hubbub on this machine only: hubbub serve --dev"""


def main() -> None:
    app()


def _flags() -> list[inspect.Parameter]:
    """One flag per field of Settings. None means: not given, so that the environment and the file count."""
    parameters = [
        inspect.Parameter(
            "config",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None, typer.Option(help="TOML file with settings", show_default=False)
            ],
        )
    ]
    for name, field in Settings.model_fields.items():
        kind = bool if field.annotation is bool else str
        flag = "--" + name.replace("_", "-")
        declaration = f"{flag}/--no-{flag[2:]}" if kind is bool else flag
        option = typer.Option(declaration, help=field.description, show_default=False)
        annotation = Annotated[kind | None, option]  # type: ignore[valid-type]  # built at run time
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        )
    return parameters


def _with_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that takes `**flags` the signature that typer reads."""
    parameters = _flags()
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect's protocol
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


@app.command()
@_with_flags
def serve(**flags: Any) -> None:
    """Run the server until SIGTERM."""
    if config := flags.pop("config"):
        os.environ[CONFIG_VARIABLE] = config
    settings = _settings(**{name: value for name, value in flags.items() if value is not None})
    if settings.dev and not settings.keyring:
        made = SecretStr(f"dev:{secrets.token_hex(32)}")
        settings = settings.model_copy(update={"api_keys": made})
    if not settings.keyring:
        raise _exit(NO_KEYS)
    configure(settings.log_level, settings.log_format)
    try:
        _run(_serve(Server(settings)))
    except BlockingIOError as error:
        raise _exit(f"hubbub cannot start: another server uses {settings.data_dir}") from error
    except OSError as error:
        raise _exit(f"hubbub cannot start: {error}") from error


@app.command()
def token(
    identity: Annotated[str, typer.Option(help="Who it is for (claim sub)")],
    room: Annotated[str | None, typer.Option(help="Exact room name, or *")] = None,
    name: Annotated[str | None, typer.Option(help="Display name")] = None,
    grant: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(sorted(GRANTS))}")] = None,
    doc: Annotated[list[str] | None, typer.Option(help="PATTERN=read or PATTERN=write")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="PATTERN=read or PATTERN=publish")] = None,
    meta: Annotated[str | None, typer.Option(help="JSON object, copied to the participant")] = None,
    ttl: Annotated[int, typer.Option(min=1, max=MAX_LIFETIME, help="Seconds until it expires")] = 3600,
    key_id: Annotated[str | None, typer.Option(help="API key to sign with; the first one by default")] = None,
) -> None:
    """Print a token, signed with a key of HUBBUB_API_KEYS."""
    keyring = _settings().keyring
    if not keyring:
        raise _exit(NO_KEYS)
    if key_id is not None and key_id not in keyring.ids:
        raise _exit(f"There is no API key {key_id!r}.")
    if unknown := unknown_grants(grant or ()):
        raise _exit(f"There is no grant {', '.join(unknown)}. Grants: {', '.join(sorted(GRANTS))}")
    now = int(time.time())
    claims = {
        "sub": identity,
        "name": name,
        "room": room,
        "grants": grant or [],
        "docs": _rules(doc),
        "topics": _rules(topic),
        "meta": None if meta is None else _object(meta),
        "iat": now,
        "exp": now + ttl,
    }
    minted = keyring.mint({claim: value for claim, value in claims.items() if value is not None}, key_id)
    try:
        keyring.verify(minted, now)
    except HubbubError as error:
        raise _exit(f"The server would refuse this token: {error.message}") from error
    print(minted)


def _rules(given: list[str] | None) -> list[dict[str, str]] | None:
    if not given:
        return None
    return [dict(zip(("name", "access"), rule.rsplit("=", 1), strict=False)) for rule in given]


def _object(meta: str) -> Any:
    try:
        return json.loads(meta)
    except ValueError as error:
        raise _exit(f"--meta is no JSON: {error}") from error


def _settings(**flags: Any) -> Settings:
    try:
        return Settings(**flags)
    except ValidationError as error:
        problems = [
            f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)
        ]
        raise _exit("Settings are wrong:\n" + "\n".join(problems)) from error
    except FileNotFoundError as error:
        raise _exit(str(error)) from error


def _exit(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(2)


def _run(main: Coroutine[Any, Any, None]) -> None:
    import uvloop

    uvloop.run(main)


async def _serve(server: Server) -> None:
    """Serve until a signal; the first one drains, the second one ends at once."""
    signals: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(loop_failed)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    await server.start()
    try:
        print(f"listening on {server.url}", flush=True)
        await signals.get()
        await _first(server.drain(), signals.get())
    finally:
        await server.close()


async def _first(*several: Coroutine[Any, Any, Any]) -> None:
    tasks = [asyncio.ensure_future(one) for one in several]
    _, unfinished = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in unfinished:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    main()
