"""pgqueue: a task-queue service that needs PostgreSQL and nothing else."""

from pgqueue.app import PgQueue
from pgqueue.artifacts import Artifact, ArtifactRef
from pgqueue.backoff import Backoff
from pgqueue.batches import Batch, Batches, BatchStatus, OpenBatch
from pgqueue.context import Context
from pgqueue.errors import (
    AnswerLost,
    Conflict,
    DatabaseFull,
    DatabaseUnavailable,
    Duplicate,
    LeaseLost,
    NotFound,
    PayloadError,
    PgQueueError,
    SchemaMismatch,
    TaskPruned,
    UsageError,
)
from pgqueue.explanations import Explanation, Reason
from pgqueue.flows import Flow, chain, chord, group
from pgqueue.letters import DeadLetter
from pgqueue.operations import Operation, Operations, OperationState, Preview
from pgqueue.outcomes import Cancel, Retry, Snooze
from pgqueue.parents import Parent
from pgqueue.queues import Queue
from pgqueue.rate import Limit, Rate
from pgqueue.retention import Retention
from pgqueue.schedules import NewSchedule, Schedule, Schedules, Slot
from pgqueue.settings import Settings
from pgqueue.sync import SyncClient
from pgqueue.task import Dependency, Enqueued, NewTask, Outcome, Progress, Status, Task

__all__ = [
    "AnswerLost",
    "Artifact",
    "ArtifactRef",
    "Backoff",
    "Batch",
    "BatchStatus",
    "Batches",
    "Cancel",
    "Conflict",
    "Context",
    "DatabaseFull",
    "DatabaseUnavailable",
    "DeadLetter",
    "Dependency",
    "Duplicate",
    "Enqueued",
    "Explanation",
    "Flow",
    "LeaseLost",
    "Limit",
    "NewSchedule",
    "NewTask",
    "NotFound",
    "OpenBatch",
    "Operation",
    "OperationState",
    "Operations",
    "Outcome",
    "Parent",
    "PayloadError",
    "PgQueue",
    "PgQueueError",
    "Preview",
    "Progress",
    "Queue",
    "Rate",
    "Reason",
    "Retention",
    "Retry",
    "Schedule",
    "Schedules",
    "SchemaMismatch",
    "Settings",
    "Slot",
    "Snooze",
    "Status",
    "SyncClient",
    "Task",
    "TaskPruned",
    "UsageError",
    "chain",
    "chord",
    "group",
]
