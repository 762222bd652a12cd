"""The API as its users start it, beside a database that is broken."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import httpx

from tests.processes import free_port
from tests.worker.conftest import eventually

__all__ = ["Service"]

_PATIENCE_S = 150  # for a machine that has other things to do


class Service:
    """`pgqueue api`, and a client of it."""

    def __init__(self, dsn: str, log: Path, **environment: str) -> None:
        self._log = log
        self.port = free_port()
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pgqueue", "api", "--port", str(self.port)],
                env={
                    **os.environ,
                    "PGQUEUE_DATABASE_URL": dsn,
                    "PGQUEUE_LOG_FORMAT": "json",
                    **environment,
                },
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def __enter__(self) -> Self:
        eventually(self._is_alive, "the API is alive", _PATIENCE_S)
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(40)

    def submit(self, type: str = "echo", **fields: object) -> httpx.Response:
        """Submit a task and give the answer, whatever it is."""
        return self.http.post("/v1/tasks", json={"type": type, **fields})

    def is_ready(self) -> bool:
        """Say whether it says that it can serve."""
        return self.http.get("/readyz").status_code == 200

    def said(self) -> str:
        """What it has logged."""
        return self._log.read_text()

    def _is_alive(self) -> bool:
        assert self.process.poll() is None, self.said()
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False
