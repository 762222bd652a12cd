"""A real Context whose reports are kept in lists, for tests that need no database."""

from pgqueue import Context
from pgqueue.task import LeaseId, TaskId


class Recorder:
    """Where the context reports to."""

    def __init__(self):
        self.progress_calls = []
        self.artifacts = {}
        self.texts = []

    def progress(self, context, percent, message):
        self.progress_calls.append((percent, message))

    def text(self, context, text):
        self.texts.append(text)

    async def save_artifact(self, context, name, data, content_type):
        self.artifacts[name] = (data, content_type)


class RecordingContext(Context):
    """An attempt of no task that any database knows."""

    def __init__(self, *, attempt=1):
        self.recorder = Recorder()
        super().__init__(
            task_id=TaskId("0198c0de-0000-7000-8000-000000000001"),
            lease_id=LeaseId(1),
            attempt=attempt,
            max_attempts=3,
            type="any",
            queue="any",
            reporter=self.recorder,
        )

    @property
    def progress_calls(self):
        return self.recorder.progress_calls

    @property
    def artifacts(self):
        return self.recorder.artifacts
