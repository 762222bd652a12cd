"""The error tree.

PgQueueError
├── UsageError            the call is invalid: fix it; ``errors`` points at the places
│   └── PayloadError      the payload does not fit its type
├── NotFound              there is no such task, artifact or type
│   └── TaskPruned        the task existed, and was deleted when its retention ended
├── Conflict              the state of the thing forbids it
│   ├── Duplicate         another task has the key: ``task_id`` is its id
│   └── Stale             the thing was changed since it was read
├── ResourcesExceeded     an isolated function or handler needs more than its process may use
├── FunctionFailed        an isolated function raised an error, or its process ended
├── LeaseLost             the attempt no longer holds its lease: stop working on the task
└── DatabaseUnavailable   PostgreSQL cannot be reached, is stopping or refuses writes: try again
    ├── DatabaseFull      its disk is full: free some space
    ├── DatabaseBusy      it did not answer in time, or no connection became free
    ├── AnswerLost        the connection broke before the answer: it may have been done, or not
    └── SchemaMismatch    the schema and this code do not fit each other: migrate or upgrade

Every error has a ``code`` (stable, for programs) and a ``hint`` (what to do, for people).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import psycopg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class PgQueueError(Exception):
    """An error of pgqueue."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, message: str = "", *, hint: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.hint = hint

    def __str__(self) -> str:
        """Return the message, followed by the hint."""
        message = super().__str__()
        return f"{message} ({self.hint})" if self.hint else message

    @property
    def message(self) -> str:
        """The message without the hint."""
        return super().__str__()


class UsageError(PgQueueError):
    """The call is invalid."""

    code = "usage"
    status = 422

    def __init__(
        self,
        message: str = "",
        *,
        errors: Sequence[Mapping[str, str]] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.errors = [dict(error) for error in errors]


class PayloadError(UsageError):
    """The payload does not fit its type."""

    code = "payload_invalid"


class NotFound(PgQueueError):
    """There is no such thing."""

    code = "not_found"
    status = 404


class TaskPruned(NotFound):
    """The task was pruned, or it never existed and tasks of its day were pruned."""

    code = "task_pruned"
    status = 410


class Conflict(PgQueueError):
    """The state of the thing forbids it."""

    code = "conflict"
    status = 409


class Duplicate(Conflict):
    """Another task has the key."""

    code = "duplicate"

    def __init__(
        self, message: str = "", *, task_id: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.task_id = task_id


class Stale(Conflict):
    """The thing was changed since it was read."""

    code = "precondition_failed"
    status = 412


class LeaseLost(PgQueueError):
    """The lease is lost: the task was rescued, cancelled or finished in the meantime."""

    code = "lease_lost"
    status = 409


class ResourcesExceeded(PgQueueError):
    """An isolated function or handler needs more than its process may use."""

    code = "resources_exceeded"
    status = 422


class FunctionFailed(PgQueueError):
    """An isolated function raised an error, or its process ended."""

    code = "function_failed"
    status = 500


class DatabaseUnavailable(PgQueueError):
    """PostgreSQL cannot be reached right now."""

    code = "database_unavailable"
    status = 503


class DatabaseFull(DatabaseUnavailable):
    """PostgreSQL's disk is full."""

    code = "database_full"


class DatabaseBusy(DatabaseUnavailable):
    """The database did not answer in time."""

    code = "database_busy"


class AnswerLost(DatabaseUnavailable):
    """The connection broke before the answer: what was asked may have been done, or not."""

    code = "answer_lost"


class SchemaMismatch(DatabaseUnavailable):
    """The schema in the database and this code do not fit each other."""

    code = "schema_mismatch"
    status = 503


class NotConnectedError(psycopg.OperationalError):
    """No connection could be made, so nothing was asked; ``translate`` says why."""


_BY_SQLSTATE: dict[str, type[PgQueueError]] = {
    "PQ001": LeaseLost,
    "PQ002": NotFound,
    "PQ003": Conflict,
    "PQ004": UsageError,
    "PQ005": Stale,
    "23502": UsageError,  # not_null_violation: a required value is missing
    "23514": UsageError,  # check_violation: a bound of the schema
    "22003": UsageError,  # numeric_value_out_of_range
    "22P02": UsageError,  # invalid_text_representation
    "22021": UsageError,  # character_not_in_repertoire: NUL in a text
    "22P05": UsageError,  # untranslatable_character: NUL in a jsonb string
    "22008": UsageError,  # datetime_field_overflow
    "22007": UsageError,  # invalid_datetime_format
    "54001": UsageError,  # statement_too_complex: nesting beyond the stack
    "42883": SchemaMismatch,  # undefined_function
    "42P01": SchemaMismatch,  # undefined_table
    "42703": SchemaMismatch,  # undefined_column
    "3F000": SchemaMismatch,  # invalid_schema_name
}

# connection, read-only, deadlock, resources, shutdown, file system
_UNAVAILABLE_CLASSES = ("08", "25006", "40", "53", "57P", "58")

_Away = tuple[type[DatabaseUnavailable], str, str]
_AWAY: _Away = (
    DatabaseUnavailable,
    "PostgreSQL is not available",
    "check that it runs and that PGQUEUE_DATABASE_URL is right; pgqueue tries again",
)
_AWAY_BY_SQLSTATE: dict[str, _Away] = {
    "53100": (
        DatabaseFull,
        "PostgreSQL's disk is full",
        "free some space; pgqueue tries again",
    ),
    "40001": (
        DatabaseBusy,
        "PostgreSQL ended the transaction",
        "run the whole transaction again: it met another one",
    ),
    "40P01": (
        DatabaseBusy,
        "PostgreSQL ended the transaction",
        "run the whole transaction again: it and another one waited for each other",
    ),
    "25006": (  # a standby, or a server that was made read-only
        DatabaseUnavailable,
        "PostgreSQL refuses writes",
        (
            "it is a standby, or default_transaction_read_only is on: name each server in "
            "PGQUEUE_DATABASE_URL, with target_session_attrs=read-write"
        ),
    ),
}

# connection failure, completion unknown, end of the session: it may have committed
_UNANSWERED = ("08", "40003", "57P01", "57P02")

_CHECKS = {
    "queue_max_attempts_bound": "max_attempts is 1 to 1000",
    "queue_concurrency_bound": "the concurrency of a queue is 1 to 1,000,000",
    "queue_ageing_positive": "ageing_s is more than 0",
    "queue_ageing_bound": "ageing_s is at most 1e9",
    "queue_name_length": "the name of a queue is 1 to 100 characters long",
    "task_payload_bounds": "a payload is at most 256 KiB and 64 levels deep",
    "schedule_payload_bounds": "a payload is at most 256 KiB and 64 levels deep",
    "checkpoint_data_bounds": "a checkpoint or step result is at most 256 KiB and 64 levels deep",
    "checkpoint_name_length": "the name of a step is at most 100 characters long",
    "artifact_name_plain": "an artifact's name is 1 to 100 of A-Z a-z 0-9 . _ -",
    "artifact_type_plain": "the content type of an artifact is type/subtype in plain ASCII",
    "artifact_size_bound": "an artifact is at most 16 MiB",
    "batch_name_length": "the name of a batch is 1 to 200 characters long",
    "batch_metadata_bounds": "metadata is at most 256 KiB and 64 levels deep",
    "batch_depth_bound": "batches are nested at most 10 deep",
    "key_limit_name_length": "the name of a limit is 1 to 255 characters long",
    "key_limit_concurrency_bound": "the concurrency of a limit is 1 to 1,000,000",
    "upload_type_plain": "the content type of an upload is type/subtype in plain ASCII",
    "upload_name_plain": "the name of an upload is 1 to 100 of A-Z a-z 0-9 . _ -",
}


def named(code: str, message: str, hint: str | None) -> PgQueueError:
    """Return the error of this tree with this code, such as one from another process."""
    kinds: list[type[PgQueueError]] = [PgQueueError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    found = {kind.code: kind for kind in reversed(kinds)}
    return found.get(code, PgQueueError)(message, hint=hint)


def missing_task(id: object, *, pruned: bool) -> NotFound:
    """Return the error for a task that does not exist."""
    if pruned:
        return TaskPruned(
            f"there is no task {id} any more",
            hint="tasks of that day were pruned: a queue's setting `retention` says how long ended "
            "tasks are kept; tasks that failed stay longer, among the dead letters",
        )
    return NotFound(f"there is no task {id}")


def translate(error: psycopg.Error) -> PgQueueError:
    """Return the error of this tree for an error of the database.

    An error without a SQLSTATE comes from the driver: about a value that it cannot send, or the
    connection.
    """
    state = error.sqlstate
    if state is None and isinstance(error, psycopg.DataError):
        return UsageError(_first_line(error), hint="PostgreSQL cannot store this value")
    if unavailable := _unavailable(error, state):
        return unavailable
    kind = _BY_SQLSTATE.get(state or "", PgQueueError)
    if kind is SchemaMismatch:
        return SchemaMismatch(_first_line(error), hint="run `pgqueue migrate`")
    if kind is Conflict and error.diag.constraint_name == "dedup_pkey":
        other = error.diag.message_detail or None
        return Duplicate(_first_line(error), task_id=other, hint=error.diag.message_hint)
    place = error.diag.message_detail or ""
    if kind is UsageError and place.startswith("/"):
        message = error.diag.message_hint or _first_line(error)
        places = [{"pointer": place, "message": message}]
        return UsageError(_first_line(error), errors=places, hint=error.diag.message_hint)
    check = _CHECKS.get(error.diag.constraint_name or "")
    return kind(check or _first_line(error), hint=error.diag.message_hint)


def _unavailable(error: psycopg.Error, state: str | None) -> DatabaseUnavailable | None:
    lost = state is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    connecting = error.pgconn is not None or isinstance(
        error, NotConnectedError | psycopg.errors.ConnectionTimeout
    )
    if not connecting and (lost or (state or "").startswith(_UNANSWERED)):
        return AnswerLost(
            f"the connection to PostgreSQL broke before it answered: {_first_line(error)}",
            hint="the call may have taken effect, or not: check before you repeat it, or enqueue "
            "with a dedup_key (over HTTP an Idempotency-Key), which makes repeating safe",
        )
    if lost or (state or "").startswith(_UNAVAILABLE_CLASSES):
        away, what, hint = _AWAY_BY_SQLSTATE.get(state or "", _AWAY)
        return away(f"{what}: {_first_line(error)}", hint=hint)
    return None


def _first_line(error: psycopg.Error) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    if len(lines) > 1 and lines[0].startswith("Multiple connection attempts failed"):
        return lines[-1].removeprefix("- ").strip()  # of several addresses, that of the last
    return error.diag.message_primary or lines[0]
