"""A worker played through SQL, so that tests decide when anything happens."""

import os
from typing import Any

import orjson
import psycopg
from psycopg.rows import dict_row


class Worker:
    """Claims, reports and finishes as a worker process does, announcing what it changed."""

    def __init__(self, dsn: str) -> None:
        direct = os.environ.get("PGQUEUE_LISTEN_URL", dsn)  # past a pooler: some tests listen
        self.connection = psycopg.connect(direct, autocommit=True, row_factory=dict_row)
        self.id = self.value(
            "select pgqueue_private.register_worker("
            "'s', 'host', 1, '1', '{}', '{any,mail,noop,silent}', 10, 1000)"
        )
        self.leases: dict[str, int] = {}
        self.seqs: dict[str, int] = {}

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        cursor = self.connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *parameters: Any) -> Any:
        return next(iter(self.rows(statement, *parameters)[0].values()))

    def publish(self, name: str, schema: dict[str, Any] | None = None, **more: Any) -> None:
        kind = {
            "name": name,
            "queue": "default",
            "max_attempts": 3,
            "description": "",
            "payload_schema": schema if schema is not None else {"type": "object"},
            **more,
        }
        self.rows("select pgqueue_private.publish_types(%s)", orjson.dumps([kind]).decode())

    def claim(self, queue: str = "default", max_tasks: int = 10) -> list[str]:
        claimed = self.rows(
            "select task_id::text, lease_id from pgqueue_private.claim(%s, %s, null, %s)",
            self.id,
            [queue],
            max_tasks,
        )
        self.leases |= {row["task_id"]: row["lease_id"] for row in claimed}
        ids = [row["task_id"] for row in claimed]
        self.announce(*ids)
        return ids

    def progress(self, id: str, percent: float, message: str | None = None) -> None:
        self._report("record_progress", id, percent=percent, message=message)
        self.announce(id)

    def log(self, id: str, message: str, *, announce: bool = True, **data: Any) -> None:
        seq = self.seqs[id] = self.seqs.get(id, 0) + 1
        self._report("append_events", id, seq=seq, level="info", message=message, data=data or None)
        if announce:
            self.announce(id)

    def text(self, id: str, text: str) -> None:
        seq = self.seqs[id] = self.seqs.get(id, 0) + 1
        self._report("append_events", id, seq=seq, type="text", level="info", message=text)
        self.announce(id)

    def finish(self, id: str, outcome: str = "completed", *, announce: bool = True, **more: Any):
        answer = self._report("finish", id, outcome=outcome, **more)
        assert answer["refused"] == []
        if announce:
            self.announce(id)

    def announce(self, *ids: str) -> None:
        if ids and self.value("select exists (select from pgqueue_private.listener)"):
            self.rows("select pgqueue_private.announce(%s::uuid[])", list(ids))

    def save_artifact(self, id: str, name: str, data: bytes, content_type: str) -> None:
        self.rows(
            "select pgqueue_private.save_artifact(%s, %s, %s, %s, %s)",
            *(id, self.leases[id], name, content_type, data),
        )

    def save_checkpoint(self, id: str, name: str, data: str) -> None:
        self.rows("select pgqueue.save_checkpoint(%s, %s, %s, %s)", id, self.leases[id], name, data)

    def enqueue(self, type: str = "noop", payload: str = "{}", **options: Any) -> str:
        named = "".join(f", {name} => %s" for name in options)
        return str(
            self.value(
                f"select pgqueue.enqueue(%s::text, %s::jsonb{named})",
                type,
                payload,
                *options.values(),
            )
        )

    def close(self) -> None:
        self.connection.close()

    def _report(self, function: str, id: str, **fields: Any) -> dict[str, Any]:
        element = {"task_id": id, "lease_id": self.leases[id], **fields}
        return self.rows(
            f"select * from pgqueue_private.{function}(%s)", orjson.dumps([element]).decode()
        )[0]
