"""The chapter on testing: its tests pass."""

import re
from pathlib import Path

from pgqueue.testing.servers import Server
from tests.docs.blocks import blocks
from tests.testing.project import Project


def test_the_tests_of_the_chapter_pass(tmp_path: Path, pgqueue_server: Server) -> None:
    project = Project(tmp_path, pgqueue_server)
    for block in blocks("testing.md", "python"):
        (name,) = re.findall(r"^# (\w+\.py)$", block, re.MULTILINE)
        project.write(name, block)
    (settings,) = blocks("testing.md", "ini")
    project.write("pytest.ini", settings + "pythonpath = .\nanyio_mode = auto\n")
    project.write(
        "conftest.py",
        "import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n",
    )
    said = project.run()
    assert "4 passed" in said, said
