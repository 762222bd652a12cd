"""Settings, from the environment: every one is ``PGQUEUE_`` and its name in capitals."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from pgqueue.errors import UsageError


class Settings(BaseSettings):
    """What a process of pgqueue may be told. Durations are in seconds."""

    model_config = SettingsConfigDict(env_prefix="PGQUEUE_", extra="ignore", frozen=True)

    database_url: str | None = Field(
        default=None,
        description="libpq connection string; `pgqueue up` does without one",
    )
    listen_url: str | None = Field(
        default=None,
        description="a direct connection for LISTEN, where database_url is a transaction pooler's",
    )
    data_dir: str = Field(
        default=".pgqueue", description="where the embedded server keeps its data"
    )

    log_format: Literal["json", "text", "auto"] = Field(
        default="auto", description="auto: text on a terminal, JSON elsewhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    lease_s: float = Field(default=15, gt=0, description="how long a silent worker keeps its tasks")
    heartbeat_s: float = Field(
        default=5, gt=0, description="how often a supervisor renews its leases"
    )
    poll_s: float = Field(default=1, gt=0, description="an idle worker looks at least this often")
    grace_s: float = Field(
        default=30, ge=0, description="how long a drain waits for running handlers"
    )
    stop_grace_s: float = Field(
        default=1, ge=0, description="how long a handler has to stop after a timeout or a cancel"
    )
    outbound_allow_hosts: str = Field(
        default="",
        description="hosts by name, and networks, that requests to the outside may reach though "
        "they are not public: hooks.internal, 10.1.0.0/16",
    )
    shrink_s: float = Field(
        default=30,
        gt=0,
        description="how long fewer processes must have been enough before one ends",
    )

    upload_bytes: int = Field(
        default=2 * 1024**3, gt=0, description="the most that an uploaded file may have"
    )
    upload_types: str = Field(
        default="",
        description="the media types of files that may be uploaded, separated by commas; empty: "
        "CSV, Parquet, JSON, text, gzip, PDF and images",
    )
    upload_keep_s: float = Field(
        default=7 * 86_400, gt=0, description="how long an uploaded file is kept"
    )

    def dsn(self) -> str:
        """Give the connection string, or say how to set one."""
        if self.database_url is None:
            message = "no database is named"
            raise UsageError(
                message,
                hint="set PGQUEUE_DATABASE_URL, or start everything with `pgqueue up`",
            )
        return self.database_url
