"""Shared by the examples: submit a task over HTTP, and follow it. They need no packages."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from typing import Any

URL = os.environ.get("PGQUEUE_URL", "http://localhost:8000")


def submit(type: str, payload: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Submit a task and return it as it was accepted."""
    body = json.dumps({"type": type, "payload": payload, **options}).encode()
    request = urllib.request.Request(  # noqa: S310  the URL is the operator's
        f"{URL}/v1/tasks", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        task: dict[str, Any] = json.load(answer)
    return task


def follow(id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the task's events as (name, data), until `end`."""
    with urllib.request.urlopen(f"{URL}/v1/tasks/{id}/events") as stream:  # noqa: S310
        event = ""
        for line in stream:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                yield event, json.loads(value)


def download(id: str, name: str) -> bytes:
    """Return an artifact of a task."""
    with urllib.request.urlopen(f"{URL}/v1/tasks/{id}/artifacts/{name}") as answer:  # noqa: S310
        data: bytes = answer.read()
    return data


def result(task: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a task that ended, or exit with its error."""
    if task["status"] != "completed":
        raise SystemExit(f"{task['type']} {task['status']}: {task['error']['message']}")
    given: dict[str, Any] = task["result"]
    return given


def upload(name: str, content_type: str, data: bytes) -> dict[str, Any]:
    """Upload a file and return its record, whose `id` payloads use to name it."""
    request = urllib.request.Request(  # noqa: S310
        f"{URL}/v1/artifacts?name={name}", data, {"Content-Type": content_type}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        file: dict[str, Any] = json.load(answer)
    return file
