"""What stops an API process."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from pgqueue.processes import Signals
from tests import commands
from tests.processes import free_port, wait_until


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=45).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_asks_to_stop_drains(
    database: str, tmp_path: Path, number: signal.Signals
) -> None:
    port = free_port()
    environment = {**os.environ, "PGQUEUE_DATABASE_URL": database}
    api = commands.start(["api", "--port", str(port)], environment, tmp_path / "api.log")
    try:
        wait_until(lambda: answers(port))
        api.send_signal(number)
        assert api.wait(45) == 0
    finally:
        api.kill()


def test_nohup_keeps_its_meaning() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
