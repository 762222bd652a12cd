"""How mail is sent: from the worker's environment only, never from a payload."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from pgqueue.settings import Environment

__all__ = ["MailSettings"]


class MailSettings(Environment):
    """The SMTP server; without a host there is none."""

    model_config = SettingsConfigDict(env_prefix="PGQUEUE_SMTP_", extra="ignore", frozen=True)

    host: str = ""
    port: int | None = Field(default=None, description="587, 465 with tls=tls, 25 without TLS")
    tls: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str = Field(default="", description="certificates to trust besides the system's")
    username: str = ""
    password: SecretStr = SecretStr("")
    sender: str = Field(default="", validation_alias="PGQUEUE_SMTP_FROM")
    timeout_s: float = Field(default=20, gt=0, description="how long the server may be silent")

    @property
    def port_used(self) -> int:
        """The port that is set, or else the usual one."""
        return self.port or {"starttls": 587, "tls": 465, "none": 25}[self.tls]
