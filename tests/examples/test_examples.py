"""The scripts of examples/, run against an API and a worker as users run them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pgqueue_api.app import create_app
from pgqueue_api.server import Server

from pgqueue.settings import Settings
from tests.worker.conftest import Bench

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
async def url(database: str, tmp_path: Path) -> AsyncIterator[str]:
    """An API, and a worker with the built-in types and no model endpoint."""
    bench = Bench(database, tmp_path)
    bench.start("--builtin", PGQUEUE_OPENAI_BASE_URL="")
    server = Server(create_app(Settings(database_url=database)), "127.0.0.1", 0, grace_s=5)
    serving = asyncio.create_task(server._serve())
    await server.ready.wait()
    yield server.url
    server.should_exit = True
    await serving
    bench.close()


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
    text, _, told = said.partition("\n-- ")
    assert len(text.split()) == 60
    assert told == "local (markov-2), 60 tokens\n"


async def test_image_gen_leaves_a_picture_and_its_thumbnail(url: str, tmp_path: Path) -> None:
    said = await run(url, "image_gen", folder=tmp_path)
    assert "image.png: 512 × 512, local" in said
    assert (tmp_path / "image.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "small.png").read_bytes().startswith(b"\x89PNG")
