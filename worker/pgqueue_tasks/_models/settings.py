"""The endpoint of models, from the environment only: no payload can name an address or a key."""

from __future__ import annotations

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from pgqueue.settings import Environment

__all__ = ["ModelSettings"]


class ModelSettings(Environment):
    """Settings of a worker's model endpoint; without ``openai_base_url`` it has none."""

    model_config = SettingsConfigDict(
        env_prefix="PGQUEUE_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    openai_base_url: str = Field(
        default="", description="such as https://api.openai.com/v1 or http://localhost:11434/v1"
    )
    openai_api_key: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("PGQUEUE_OPENAI_API_KEY", "OPENAI_API_KEY"),
    )
    openai_text_model: str = Field(default="", description="the model if a payload names none")
    openai_image_model: str = Field(default="", description="the model if a payload names none")
    openai_stall_s: float = Field(
        default=30, gt=0, description="how long the endpoint may be silent"
    )

    @property
    def has_endpoint(self) -> bool:
        """Whether there is a model to ask."""
        return bool(self.openai_base_url)
