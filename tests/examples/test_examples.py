"""The scripts of examples/, run against an API and a worker as users run them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pgqueue_api.app import create_app
from pgqueue_api.server import Server

from pgqueue.settings import Settings
from tests import servers
from tests.worker.conftest import Bench

DEMO_SECRET = "whsec_ZGVtbyBzZWNyZXQgb2YgcGdxdWV1ZQ=="
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
async def url(
    server: servers.Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """An API, and a worker with the built-in types and no model endpoint, for all the scripts."""
    name = server.create(template)
    database = server.dsn(name)
    bench = Bench(database, tmp_path_factory.mktemp("examples"))
    bench.start("--builtin", PGQUEUE_OPENAI_BASE_URL="", PGQUEUE_HOOK_DEMO_SECRET=DEMO_SECRET)
    api = Server(create_app(Settings(database_url=database)), "127.0.0.1", 0, grace_s=5)
    serving = asyncio.create_task(api._serve())
    await api.ready.wait()
    yield api.url
    api.should_exit = True
    await serving
    bench.close()
    server.drop(name)


async def run(url: str, name: str, *arguments: str, folder: Path) -> str:
    """Run an example in a folder, and give what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, EXAMPLES / f"{name}.py", *arguments),
        env={**os.environ, "PGQUEUE_URL": url, "PYTHONUTF8": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
    )
    said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return said.decode()


async def test_text_gen_prints_the_text_as_it_is_written(url: str, tmp_path: Path) -> None:
    said = await run(url, "text_gen", "The moon", folder=tmp_path)
    text, _, summary = said.partition("\n-- ")
    assert len(text.split()) == 60
    assert summary == "local (markov-2), 60 tokens\n"


async def test_image_gen_leaves_a_picture_and_its_thumbnail(url: str, tmp_path: Path) -> None:
    said = await run(url, "image_gen", folder=tmp_path)
    assert "image.png: 512 × 512, local" in said
    assert (tmp_path / "image.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "small.png").read_bytes().startswith(b"\x89PNG")


async def test_data_aggregation_adds_up_what_it_uploads(url: str, tmp_path: Path) -> None:
    said = await run(url, "data_aggregation", folder=tmp_path)
    assert "north        220.00     2" in said
    assert "south        100.25     2" in said


async def test_pdf_report_leaves_a_report(url: str, tmp_path: Path) -> None:
    said = await run(url, "pdf_report", "My title", folder=tmp_path)
    assert "report.pdf: 1 page" in said
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


async def test_email_campaign_leaves_a_mailbox(url: str, tmp_path: Path) -> None:
    said = await run(url, "email_campaign", folder=tmp_path)
    assert "ada@example.com: kept" in said
    assert b"your order 8 is on its way" in (tmp_path / "outbox.mbox").read_bytes()


async def test_webhook_processing_is_taken_as_signed(url: str, tmp_path: Path) -> None:
    said = await run(url, "webhook_processing", folder=tmp_path)
    assert said == "signed by demo, verified by the scheme standard\n"


async def test_the_demo_ends_with_a_result_of_each_type(url: str, tmp_path: Path) -> None:
    said = await run(url, "demo", folder=tmp_path)
    done = [line.split(":")[0] for line in said.splitlines() if ": completed" in line]
    assert {*done} >= {"text_gen", "email_campaign", "pdf_report", "data_aggregation"}
    assert said.count(": completed") == said.count("/v1/tasks/") - said.count("  open ")
    assert ": failed" not in said
    assert f"open {url}/v1/tasks/" in said


def test_make_run_and_the_examples_have_the_same_secret() -> None:
    top = EXAMPLES.parent
    assert f"DEMO_SECRET := {DEMO_SECRET}\n" in (top / "Makefile").read_text()
    assert DEMO_SECRET in (EXAMPLES / "webhook_processing.py").read_text()


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("", "http://localhost:8000"),
        ("PORT=9000", "http://localhost:9000"),
        ("URL=http://[::1]:7000", "http://[::1]:7000"),
    ],
)
def test_make_demo_works_wherever_make_run_listens(given: str, address: str) -> None:
    command = ["make", "-n", "-C", str(EXAMPLES.parent), f"VENV={sys.prefix}", "demo"]
    ran = subprocess.run([*command, *given.split()], capture_output=True, text=True, check=True)
    assert f"PGQUEUE_URL={address} " in ran.stdout


async def test_research_agent_answers_and_names_its_sources(url: str, tmp_path: Path) -> None:
    said = await run(url, "research_agent", folder=tmp_path)
    assert "The moon pulls the water of the sea toward it. [1]" in said
    assert said.splitlines()[-1] == "[1] Tides"
