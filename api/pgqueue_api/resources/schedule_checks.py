"""What a schedule says is checked before it is stored, so that errors point at the field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from pgqueue.errors import PayloadError, UsageError
from pgqueue.models.schedule import Timing
from pgqueue.models.values import PRIORITIES
from pgqueue_api.http.bodies import whole
from pgqueue_api.problems import Invalid

if TYPE_CHECKING:
    from pgqueue.models.schedule import ScheduleChange
    from pgqueue_api.services import Services

__all__ = ["check_task", "check_times", "settings_of", "times_of"]

_TIMES = ("run_at", "starts_at", "ends_at")


def settings_of(given: ScheduleChange, *, partial: bool = True) -> dict[str, Any]:
    """Return settings as ``pgqueue.patch_schedule`` takes them; partial: those that were given."""
    settings: dict[str, Any] = given.model_dump(mode="json", exclude_unset=partial)
    settings.pop("name", None)
    payload = settings.pop("payload", ...)
    settings = whole(settings)
    if payload is not ...:
        settings["payload"] = payload
    if isinstance(settings.get("priority"), str):
        settings["priority"] = PRIORITIES[settings["priority"]]
    return settings


def times_of(settings: dict[str, Any], now: datetime, n: int) -> list[datetime]:
    """Return the next due times of these settings; raise ``Invalid`` where they cannot be right."""
    at: dict[str, Any] = {
        name: datetime.fromisoformat(settings[name]) for name in _TIMES if settings.get(name)
    }
    try:
        return Timing(settings.get("cron"), timezone=settings.get("timezone"), **at).due_times(
            now, n
        )
    except UsageError as error:
        place = "/timezone" if "time zone" in error.message else "/cron"
        raise Invalid(
            "this schedule cannot be right",
            errors=[{"pointer": place, "message": error.message}],
            hint=error.hint,
        ) from error


def check_times(settings: dict[str, Any]) -> None:
    """Raise ``Invalid`` unless what settings say of times can be right."""
    times_of(settings, datetime.now(UTC), 0)


async def check_task(services: Services, type: str, payload: Any) -> None:
    """Raise unless a worker has published the type and the payload fits it."""
    kind = await services.registry.find(type)
    kind.check(payload)
    if len(orjson.dumps(payload)) > services.bounds.payload:
        raise PayloadError(
            f"the payload has more than {services.bounds.payload:,} bytes",
            errors=[{"pointer": "/payload", "message": "too large"}],
        )
