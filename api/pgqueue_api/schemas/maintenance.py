"""JSON Schemas of how maintenance goes."""

from __future__ import annotations

from pgqueue_api.schemas.parts import Schema
from pgqueue_api.schemas.parts import nullable as _nullable
from pgqueue_api.schemas.parts import object_of as _object
from pgqueue_api.schemas.parts import time as _time

__all__ = ["DUTY"]

DUTY: Schema = _object(
    {
        "duty": {"type": "string"},
        "state": {
            "enum": ["ok", "late", "failing"],
            "description": "failing: its last run failed; late: by more than its interval, "
            "and 30 s",
        },
        "lag_s": {"type": "number", "description": "how late its next run is; 0: it is not"},
        "interval_s": {"type": "number", "description": "between runs, when nothing presses"},
        "last_started_at": _time("when its last run began"),
        "last_finished_at": _nullable(_time("when its last run that ended well did; null: none")),
        "last_duration_s": _nullable({"type": "number"}, "of that run"),
        "run_by": _nullable({"type": "string"}, "the supervisor that told last"),
        "last_error": _nullable({"type": "string"}, "of its last run that failed; null: none did"),
        "last_error_at": _nullable(_time("when that was; null: never")),
    },
    "A duty of maintenance.",
)
