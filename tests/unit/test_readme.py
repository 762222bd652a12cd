"""What the README and the guide for Python show is right."""

import ast
import json
import re
from pathlib import Path

import pgqueue_tasks
import pytest

from pgqueue import PgQueue

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_readme_fits_on_200_lines() -> None:
    assert len(README.splitlines()) < 200


def test_the_pdf_that_the_readme_submits_fits_its_type() -> None:
    app = PgQueue()
    pgqueue_tasks.register(app)
    (body,) = re.findall(r"-d '(\{\n.*?\})'", README, re.DOTALL)
    task = json.loads(body)
    assert app.types[task["type"]].decode(json.dumps(task["payload"]))


@pytest.mark.parametrize("name", ["README.md", "docs/python.md"])
def test_the_examples_in_python_are_python(name: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_app_of_the_readme_declares_its_type() -> None:
    block = next(b for b in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "@app" in b)
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    kind = names["app"].types["send_receipt"]
    assert (kind.queue, kind.max_attempts, kind.timeout_s) == ("email", 5, 30)
    assert kind.decode('{"order": 7}').order == 7


def test_every_file_that_the_readme_links_to_is_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
