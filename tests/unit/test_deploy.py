"""The files for containers, as far as they can be judged without an engine."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((TOP / "compose.yaml").read_text())
DOCKERFILE = (TOP / "deploy/Dockerfile").read_text()


def composes() -> Iterator[list[str]]:
    """Yield the commands of this machine that understand compose files."""
    if shutil.which("docker-compose"):
        yield ["docker-compose"]
    if shutil.which("docker"):
        plugin = ["docker", "compose"]
        if subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0:
            yield plugin


def test_every_service_has_a_healthcheck_and_restarts() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"postgres", "api", "worker"}
    for service in services.values():
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["restart"] == "unless-stopped"
    assert services["postgres"]["image"] == "postgres:18"


def test_services_start_when_what_they_need_is_healthy() -> None:
    services = COMPOSE["services"]
    assert services["api"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["worker"]["depends_on"] == {"api": {"condition": "service_healthy"}}


def test_nothing_is_published_beyond_this_machine() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_compose_accepts_the_file() -> None:
    for command in composes():
        checked = subprocess.run(
            [*command, "--file", str(TOP / "compose.yaml"), "config"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "POSTGRES_PASSWORD": "s3cret"},
        )
        assert checked.returncode == 0, checked.stderr
        resolved = yaml.safe_load(checked.stdout)
        assert "s3cret" in resolved["services"]["worker"]["environment"]["PGQUEUE_DATABASE_URL"]


def test_the_image_is_made_in_stages_and_runs_as_an_ordinary_user() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    assert len(stages) == 2
    last = stages[-1]
    assert re.search(r"^USER 10001$", last, re.MULTILINE)
    for tool in ("pip install", "apt-get", "gcc"):
        assert tool not in last


def test_the_image_gets_every_file_that_it_copies() -> None:
    sent = {
        line[1:]
        for line in (TOP / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copies = re.findall(r"^COPY (?:--chmod=\d+ )?(?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    for source in " ".join(copies).split():
        assert source in sent
        assert (TOP / source).exists()


@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (503, 1)])
def test_the_healthcheck_tells_a_ready_service_from_another(status: int, exit_code: int) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        script = str(TOP / "deploy/healthcheck.py")
        address = f"http://127.0.0.1:{server.server_port}/readyz"
        checked = subprocess.run(
            [sys.executable, script, address], check=False, capture_output=True
        )
        thread.join()
    assert checked.returncode == exit_code
