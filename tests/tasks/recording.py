"""A real Context whose reports are kept in lists, for tests that need no database."""

import os

from pgqueue import Context
from pgqueue.models.tasks.status import LeaseId, TaskId
from pgqueue.testing.recorder import Recorder
from tests.processes import fork_servers

pool = None
"""What `conftest.py` has started."""


def engines():
    """The processes that engines run in now: each in a session of its own."""
    return [
        process
        for server in fork_servers()
        for process in server.children(recursive=True)
        if os.getsid(process.pid) == process.pid
    ]


class IsolatingRecorder(Recorder):
    """Runs isolated functions as a worker does: in a process of their own."""

    def run_isolated(self, context, call):
        return pool.run_function(context, call)


class RecordingContext(Context):
    """An attempt of no task that any database knows."""

    def __init__(self, *, attempt=1, recorder=None, queue="any"):
        self.recorder = recorder or IsolatingRecorder()
        super().__init__(
            task_id=TaskId("0198c0de-0000-7000-8000-000000000001"),
            lease_id=LeaseId(1),
            attempt=attempt,
            max_attempts=3,
            type="any",
            queue=queue,
            reporter=self.recorder,
            remembered=self.recorder.remembered,
        )

    def again(self):
        """The next attempt of the same task."""
        return RecordingContext(attempt=self.attempt + 1, recorder=self.recorder)

    @property
    def progress_calls(self):
        return self.recorder.progress_calls

    @property
    def artifacts(self):
        return self.recorder.artifacts
