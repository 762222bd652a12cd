"""Settings, from environment variables: ``PGQUEUE_`` and the name of a field in capitals."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pgqueue.addresses import check_address
from pgqueue.errors import UsageError


class Environment(BaseSettings):
    """Settings from the environment; an invalid one is a ``UsageError`` that names its variable."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise UsageError("; ".join(map(self._fault, error.errors()))) from None

    @classmethod
    def _fault(cls, error: Any) -> str:
        (place, *_), prefix = error["loc"], cls.model_config.get("env_prefix", "")
        field = cls.model_fields.get(place)  # a field with an alias is named by that
        variable = f"{prefix}{place}".upper() if field else str(place)
        secret = field is None or field.annotation is SecretStr
        value = "invalid" if secret else repr(error["input"])
        return f"{variable} is {value}: {error['msg'][:1].lower()}{error['msg'][1:]}"


class Settings(Environment):
    """The settings of a process of pgqueue. Durations are in seconds."""

    model_config = SettingsConfigDict(env_prefix="PGQUEUE_", extra="ignore", frozen=True)

    database_url: str | None = Field(
        default=None,
        repr=False,  # it may hold a password
        description="libpq connection string; without one `pgqueue up` runs its own PostgreSQL",
    )
    listen_url: str | None = Field(
        default=None,
        repr=False,
        description="a direct connection for LISTEN, if database_url leads to a transaction pooler",
    )
    data_dir: str = Field(
        default=".pgqueue", description="data directory of the embedded PostgreSQL"
    )

    log_format: Literal["json", "text", "auto"] = Field(
        default="auto", description="auto: text on a terminal, JSON elsewhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    lease_s: float = Field(
        default=15, gt=0, description="how long a worker that stopped reporting keeps its tasks"
    )
    heartbeat_s: float = Field(
        default=5, gt=0, description="how often a supervisor renews its leases"
    )
    poll_s: float = Field(
        default=1, gt=0, description="how often an idle worker looks for tasks, at least"
    )
    grace_s: float = Field(
        default=30, ge=0, description="how long a drain waits for running handlers"
    )
    stop_grace_s: float = Field(
        default=1, ge=0, description="how long a handler has to stop after a timeout or a cancel"
    )
    outbound_allow_hosts: str = Field(
        default="",
        description="hosts and networks that outbound requests may reach although they are not "
        "public, such as: hooks.internal, 10.1.0.0/16",
    )
    shrink_s: float = Field(
        default=30,
        gt=0,
        description="how long fewer processes must have sufficed before one is stopped",
    )

    admin_email: str | None = Field(
        default=None,
        description="the first user, an admin, whom the API adds when it starts without users",
    )
    admin_password_file: str | None = Field(
        default=None, description="the file with the password of that user"
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#\s]+(/[^?#\s]*[^/?#\s])?$",
        description="where browsers reach the API, such as https://queue.example.com",
    )
    oidc_issuer: str | None = Field(
        default=None,
        description="the issuer of OpenID Connect whose accounts are let in, such as "
        "https://accounts.google.com",
    )
    oidc_client_id: str | None = Field(
        default=None, description="what the issuer knows this server by, for people who sign in"
    )
    oidc_client_secret_file: str | None = Field(
        default=None, description="the file with the secret of that client, if it has one"
    )
    oidc_audience: str | None = Field(
        default=None, description="the `aud` of the issuer's access tokens for this API"
    )
    oidc_access_claim: str | None = Field(
        default=None,
        description="a claim that only its access tokens have, such as typ=Bearer, if their header "
        "does not say at+jwt",
    )
    audit_days: float = Field(
        default=365, gt=0, description="how long the months of the audit trail are kept"
    )
    api_allowed_hosts: str = Field(
        default="",
        description="names in Host that the API answers to, separated by commas; empty: localhost "
        "and its address if it listens on this machine only, else any",
    )
    api_allowed_origins: str = Field(
        default="",
        description="origins of web pages of other sites that may change things through the API, "
        "such as: https://tools.example.com",
    )
    api_hook_sources: str = Field(
        default="",
        description="sources of POST /v1/hooks/SOURCE that other services send to without an API "
        "key, separated by commas, such as: github, stripe",
    )
    upload_bytes: int = Field(
        default=2 * 1024**3, gt=0, description="maximum size of an uploaded file, in bytes"
    )
    upload_quota_bytes: int = Field(
        default=100 * 1024**3,
        gt=0,
        description="how many bytes of uploaded files are kept at most, all together",
    )
    upload_types: str = Field(
        default="",
        description="media types of files that may be uploaded, separated by commas; empty: "
        "CSV, Parquet, JSON, text, gzip, PDF and images",
    )
    upload_keep_s: float = Field(
        default=7 * 86_400, gt=0, description="how long an uploaded file is kept"
    )

    def dsn(self) -> str:
        """Return the connection string; ``UsageError`` if none is given or one cannot be read."""
        if self.database_url is None:
            raise UsageError(
                "no database is named",
                hint="set PGQUEUE_DATABASE_URL, or start everything with `pgqueue up`",
            )
        check_address(self.database_url)
        if self.listen_url is not None:
            check_address(self.listen_url, "PGQUEUE_LISTEN_URL")
        return self.database_url
