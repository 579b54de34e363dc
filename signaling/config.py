"""Settings: flags over HUBBUB_* variables over the file HUBBUB_CONFIG over defaults (protocol section 9)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from signaling.tokens import MIN_SECRET_BYTES, Keyring

PREFIX = "HUBBUB_"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"


class _TomlFile(TomlConfigSettingsSource):
    """The names of the variables in lower case, with or without `hubbub_`."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        values = super()._read_file(file_path)
        return {name.removeprefix(PREFIX.lower()): value for name, value in values.items()}


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class Settings(BaseSettings):
    """Everything an operator decides. Each field is a flag of `hubbub serve` under the same name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        # A refused value may be a secret: errors say which field and why, never what was given.
        hide_input_in_errors=True,
    )

    host: str = Field("", description="Address to listen on; 127.0.0.1 with --dev, else 0.0.0.0")
    port: int = Field(8080, ge=0, le=65535, description="TCP port for HTTP and WebSocket; 0 takes a free one")
    media: bool = Field(True, description="Forward media; without it a node is for events and documents only")
    media_port: int = Field(
        7882, ge=0, le=65535, description="First UDP and TCP port for media, one per worker"
    )
    media_workers: int = Field(0, ge=0, le=256, description="Media threads; 0 means one per core but one")
    media_host: Listed = Field((), description="Addresses to bind for media; all of them by default")
    public_ip: Listed = Field((), description="Addresses to announce for media, comma separated")
    api_keys: SecretStr = Field(SecretStr(""), description="API keys as id:secret,id2:secret2")
    data_dir: Path = Field(Path("hubbub-data"), description="Where SQLite files and recordings are kept")
    redis_url: str = Field("", description="Redis to join a cluster by, such as redis://host:6379/0")
    turn_urls: Listed = Field((), description="TURN servers to hand out, comma separated")
    turn_secret: SecretStr = Field(SecretStr(""), description="The TURN servers' static-auth-secret")
    allowed_origins: Listed = Field(
        (), description="Web origins allowed besides our own, comma separated; * for all"
    )
    webhook_urls: Listed = Field((), description="URLs that are told of room events, comma separated")
    webhook_secret: SecretStr = Field(SecretStr(""), description="What webhooks are signed with")
    handlers: Listed = Field(
        (), description="Python modules with token stream handlers: each has register(generators)"
    )
    dev: bool = Field(False, description="Development: loopback only, keys made at start, POST /dev/token")
    demo: bool = Field(True, description="Serve the demo application at /")
    room_participants: int = Field(2000, ge=1, description="Most participants in one room")
    heartbeat_ms: int = Field(20_000, ge=100, description="Time between WebSocket pings")
    heartbeat_timeout_ms: int = Field(
        10_000, ge=50, description="How long a WebSocket ping waits for an answer"
    )
    grace_ms: int = Field(10_000, ge=0, description="How long SIGTERM waits for connections to leave")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is logged"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="console for people, json for machines; auto asks whether stderr is a terminal"
    )

    @field_validator("api_keys")
    @classmethod
    def _keys_parse(cls, value: SecretStr) -> SecretStr:
        Keyring.parse(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _webhooks_are_signed(self) -> Settings:
        if self.webhook_urls and len(self.webhook_secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(
                f"webhook_secret must have at least {MIN_SECRET_BYTES} bytes to sign webhooks with"
            )
        for url in self.webhook_urls:
            if not url.startswith(("http://", "https://")):
                raise ValueError(f"webhook_urls must begin with http:// or https://: {url}")
        return self

    @field_validator("allowed_origins")
    @classmethod
    def _origins_without_slash(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(origin.rstrip("/").lower() for origin in value)

    @model_validator(mode="before")
    @classmethod
    def _host_by_mode(cls, values: dict[str, Any]) -> dict[str, Any]:
        if not values.get("host"):
            dev = str(values.get("dev", "")).lower() in ("1", "true", "yes", "on")
            values = {**values, "host": "127.0.0.1" if dev else "0.0.0.0"}
        return values

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources = [init_settings, env_settings]
        if path := os.environ.get(CONFIG_VARIABLE):
            if not Path(path).is_file():
                raise FileNotFoundError(f"{CONFIG_VARIABLE} names {path}, which is not a file")
            sources.append(_TomlFile(settings_cls, toml_file=Path(path)))
        return tuple(sources)

    @property
    def keyring(self) -> Keyring:
        return Keyring.parse(self.api_keys.get_secret_value())
