"""pgqueue: a task-queue service that needs PostgreSQL and nothing else."""

from pgqueue.client.app import PgQueue
from pgqueue.client.batches import Batches, OpenBatch
from pgqueue.client.operations import Operations
from pgqueue.client.schedules import Schedules
from pgqueue.client.sync.batches import SyncBatches, SyncOpenBatch
from pgqueue.client.sync.client import SyncClient
from pgqueue.client.sync.operations import SyncOperations
from pgqueue.client.sync.schedules import SyncSchedules
from pgqueue.client.sync.webhooks import SyncWebhooks
from pgqueue.client.webhooks import Webhooks
from pgqueue.errors import (
    AnswerLost,
    Conflict,
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnavailable,
    Duplicate,
    FunctionFailed,
    LeaseLost,
    NotFound,
    PayloadError,
    PgQueueError,
    ResourcesExceeded,
    SchemaMismatch,
    TaskPruned,
    UsageError,
)
from pgqueue.handlers.artifacts import Artifact, ArtifactRef
from pgqueue.handlers.context import Context
from pgqueue.handlers.outcomes import Cancel, Retry, Snooze
from pgqueue.handlers.parents import Parent
from pgqueue.models.batch import Batch, BatchStatus
from pgqueue.models.dead_letter import DeadLetter
from pgqueue.models.operation import Operation, OperationState, Preview
from pgqueue.models.queues.limit import Limit, Rate
from pgqueue.models.queues.queue import Queue
from pgqueue.models.queues.retention import Retention
from pgqueue.models.schedule import NewSchedule, Schedule, ScheduleOptions, Slot
from pgqueue.models.tasks.backoff import Backoff
from pgqueue.models.tasks.dependency import Dependency
from pgqueue.models.tasks.explanation import Explanation, Reason
from pgqueue.models.tasks.flow import Flow, chain, chord, group
from pgqueue.models.tasks.status import Outcome, Status
from pgqueue.models.tasks.task import Enqueued, EnqueueOptions, NewTask, Progress, Task
from pgqueue.models.webhook import Webhook, WebhookDelivery
from pgqueue.settings import Settings

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
    "DatabaseBusy",
    "DatabaseFull",
    "DatabaseUnavailable",
    "DeadLetter",
    "Dependency",
    "Duplicate",
    "EnqueueOptions",
    "Enqueued",
    "Explanation",
    "Flow",
    "FunctionFailed",
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
    "ResourcesExceeded",
    "Retention",
    "Retry",
    "Schedule",
    "ScheduleOptions",
    "Schedules",
    "SchemaMismatch",
    "Settings",
    "Slot",
    "Snooze",
    "Status",
    "SyncBatches",
    "SyncClient",
    "SyncOpenBatch",
    "SyncOperations",
    "SyncSchedules",
    "SyncWebhooks",
    "Task",
    "TaskPruned",
    "UsageError",
    "Webhook",
    "WebhookDelivery",
    "Webhooks",
    "chain",
    "chord",
    "group",
]
