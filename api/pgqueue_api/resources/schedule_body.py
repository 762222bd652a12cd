"""The bodies of requests about schedules: checked here, so that what is wrong is pointed at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import orjson

from pgqueue.errors import PayloadError, UsageError
from pgqueue.models.schedule import NewSchedule, due_times
from pgqueue.models.values import PRIORITIES
from pgqueue_api.http import bodies
from pgqueue_api.problems import Invalid
from pgqueue_api.submit.submission import json_time, parse_time
from pgqueue_api.submit.types import explain

if TYPE_CHECKING:
    from litestar import Request

    from pgqueue_api.schemas.parts import Schema
    from pgqueue_api.services import Services

__all__ = ["check_task", "check_times", "read_body", "settings_of", "times_of", "validator"]

_BODY = 300_000
_DEPTH = 66  # of a payload, within its schedule
_TIMES = ("run_at", "starts_at", "ends_at")


def validator(schema: Schema) -> jsonschema_rs.Validator:
    """Give what checks a body."""
    return jsonschema_rs.validator_for(schema, offline=True)


async def read_body(
    request: Request[Any, Any, Any], services: Services, shape: jsonschema_rs.Validator
) -> dict[str, Any]:
    """Give the body of a request, of the right shape."""
    headers = dict(request.scope["headers"])
    bodies.require_json(headers)
    content = await bodies.read(request.receive, headers, _BODY, services.bounds.body_s)
    given: dict[str, Any] = bodies.parse(content, _DEPTH)
    if not shape.is_valid(given):
        raise Invalid("this is no schedule", errors=explain(shape, given), hint="see /docs")
    return given


def settings_of(given: dict[str, Any]) -> dict[str, Any]:
    """Give settings as ``pgqueue.patch_schedule`` takes them."""
    settings = dict(given)
    for name in _TIMES:
        if settings.get(name) is not None:
            settings[name] = json_time(parse_time(settings[name], f"/{name}"))
    if isinstance(settings.get("priority"), str):
        settings["priority"] = PRIORITIES[settings["priority"]]
    for name in ("priority", "max_attempts", "cost", "missed_max"):
        if settings.get(name) is not None:
            settings[name] = int(settings[name])
    return settings


def times_of(settings: dict[str, Any], now: datetime, n: int) -> list[datetime]:
    """Give the next due times of what settings say, or raise ``Invalid`` where they cannot be."""
    at: dict[str, Any] = {
        name: datetime.fromisoformat(settings[name]) for name in _TIMES if settings.get(name)
    }
    timezone = settings.get("timezone") or "UTC"
    try:
        return due_times(
            NewSchedule("t", cron=settings.get("cron"), timezone=timezone, **at), now, n
        )
    except UsageError as error:
        place = "/timezone" if "time zone" in error.message else "/cron"
        raise Invalid(
            "this is no schedule",
            errors=[{"pointer": place, "message": error.message}],
            hint=error.hint,
        ) from error


def check_times(settings: dict[str, Any]) -> None:
    """Raise ``Invalid`` unless what settings say of times can be right."""
    times_of(settings, datetime.now(UTC), 0)


async def check_task(services: Services, type: str, payload: Any) -> None:
    """Raise unless a worker has published the type and the payload fits it."""
    kind = await services.registry.find(type)
    payload = {} if payload is None else payload
    kind.check(payload)
    if len(orjson.dumps(payload)) > services.bounds.payload:
        raise PayloadError(
            f"the payload has more than {services.bounds.payload:,} bytes",
            errors=[{"pointer": "/payload", "message": "too large"}],
        )
