"""The code blocks of a page of the documentation, for tests that run them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of ``language`` on ``docs/<page>``, in order, at least one."""
    found = re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    assert found, f"docs/{page} shows no {language}"
    return found
