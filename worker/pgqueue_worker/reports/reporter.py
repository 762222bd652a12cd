"""Takes what the contexts of this process report, from any thread, and passes it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pgqueue.errors import LeaseLost
from pgqueue.handlers.context import RECORDED
from pgqueue.handlers.failure import clean
from pgqueue_worker.lease import Progress
from pgqueue_worker.reports.completion import Completion
from pgqueue_worker.reports.outbox import storable
from pgqueue_worker.reports.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from concurrent.futures import Future

    from pgqueue.handlers.artifacts import ArtifactFacts, ArtifactKey
    from pgqueue.handlers.context import Context
    from pgqueue.handlers.isolation import IsolatedCall
    from pgqueue_worker.lease import Lease
    from pgqueue_worker.reports.checkpoints import Checkpoints
    from pgqueue_worker.reports.files import Files
    from pgqueue_worker.reports.loop_bridge import LoopBridge
    from pgqueue_worker.reports.outbox import Outbox
    from pgqueue_worker.reports.transaction_pools import TransactionPools

__all__ = ["Functions", "Reporter"]


class Functions(Protocol):
    """Runs functions in processes of their own."""

    def run_function(self, context: Context, call: IsolatedCall) -> Coroutine[Any, Any, Any]:
        """Run a function, and return its value."""

    def cancel_functions(self, lease_id: int) -> None:
        """Stop the functions of an attempt that has ended."""


class Reporter:
    """The ``Reporter`` of every context of this process.

    What comes from an attempt that has ended is dropped.
    """

    def __init__(
        self,
        loop: LoopBridge,
        outbox: Outbox,
        files: Files,
        checkpoints: Checkpoints,
        pools: TransactionPools,
        *,
        functions: Functions,
    ) -> None:
        self._loop = loop
        self._outbox = outbox
        self._files = files
        self._checkpoints = checkpoints
        self._transaction_pools = pools
        self._functions = functions
        self._leases: dict[int, Lease] = {}

    def attach(self, lease: Lease) -> None:
        """Take reports of this attempt from now on."""
        self._leases[lease.lease_id] = lease

    def detach(self, lease: Lease) -> None:
        """Take no more reports of an attempt: it has ended."""
        self._leases.pop(lease.lease_id, None)
        self._outbox.forget(lease)
        self._functions.cancel_functions(lease.lease_id)

    async def sent(self, lease: Lease) -> None:
        """Return when every log line and all text of the lease is stored."""
        await self._outbox.sent(lease)

    def progress(self, context: Context, percent: float, message: str | None) -> None:
        """Take the latest progress."""
        lease = self._leases.get(context.lease_id)
        if lease is not None:
            lease.progress = Progress(percent, None if message is None else clean(message))
            self._loop.call(self._outbox.add_progress, lease)

    def event(self, context: Context, level: str, message: str, data: dict[str, Any]) -> None:
        """Take a log line."""
        lease = self._leases.get(context.lease_id)
        if lease is not None:
            text, kept = clean(message), storable(data)
            self._loop.call(self._outbox.add_log, lease, level, text, kept)

    def text(self, context: Context, text: str) -> None:
        """Take a piece of text."""
        lease = self._leases.get(context.lease_id)
        if lease is not None:
            self._loop.call(self._outbox.add_text, lease, clean(text))

    def save_artifact(
        self, context: Context, name: str, data: bytes, content_type: str
    ) -> Awaitable[None]:
        """Save a file. In a thread it is durable when this returns."""
        return self._saved(
            self._files.save(context.task_id, context.lease_id, name, data, content_type)
        )

    def save_checkpoint(self, context: Context, name: str, data: bytes) -> Awaitable[None]:
        """Save a checkpoint. In a thread it is durable when this returns."""
        return self._saved(self._checkpoints.save(context.task_id, context.lease_id, name, data))

    def load_parents(self, context: Context) -> Any:
        """Read the results of the task's parents: to be awaited; in a thread, return them."""
        loading = self._checkpoints.parents(context.task_id)
        return loading if self._loop.here else self._loop.result(loading)

    def transaction(self, context: Context) -> Transaction:
        """Return the transaction that completes the attempt."""
        return Transaction(self._transaction_pools, self.completion(context))

    def find_artifact(self, context: Context, key: ArtifactKey) -> Future[ArtifactFacts]:
        """Find a file."""
        del context  # every attempt may read every file
        return self._loop.submit(self._files.find(key))

    def read_artifact(self, context: Context, key: ArtifactKey, n: int) -> Future[bytes]:
        """Return the n-th MiB of a file."""
        del context
        return self._loop.submit(self._files.read(key, n))

    def run_isolated(self, context: Context, call: IsolatedCall) -> Any:
        """Run a function in a process of its own: to be awaited; in a thread, return its value."""
        running = self._functions.run_function(context, call)
        return running if self._loop.here else self._loop.result(running)

    def completion(self, context: Context) -> Completion:
        """Return the completion of an attempt. Raise ``LeaseLost`` when it has ended here."""
        lease = self._leases.get(context.lease_id)
        if lease is None:
            message = f"the attempt of task {context.task_id} has ended"
            raise LeaseLost(message, hint="stop working on it")
        return Completion(lease, self._outbox, self._loop)

    def _saved(self, saving: Coroutine[Any, Any, None]) -> Awaitable[None]:
        if self._loop.here:
            return saving
        self._loop.result(saving)
        return RECORDED
