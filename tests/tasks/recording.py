"""A Context that keeps what a handler reports, for tests that need no database."""

from dataclasses import dataclass, field


@dataclass
class RecordingContext:
    attempt: int = 1
    progress_calls: list[tuple[float, str | None]] = field(default_factory=list)
    artifacts: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def progress(self, percent: float, message: str | None = None) -> None:
        self.progress_calls.append((percent, message))

    async def save_artifact(self, name: str, data: bytes, content_type: str) -> None:
        self.artifacts[name] = (data, content_type)
