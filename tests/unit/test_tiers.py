"""Every test belongs to one of the two tiers: `make test`, or what `make test-all` adds."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _first() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return settings["tool"]["pytest"]["ini_options"]["testpaths"]


def _rest() -> list[str]:
    (line,) = re.findall(r"^REST = (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return line.split()


def test_every_directory_with_tests_belongs_to_one_tier() -> None:
    found = {
        f"tests/{file.relative_to(ROOT / 'tests').parts[0]}"
        for file in ROOT.glob("tests/**/test_*.py")
    }
    assert sorted([*_first(), *_rest()]) == sorted(found)


def test_the_guide_names_every_directory() -> None:
    guide = (ROOT / "docs/contributing.md").read_text()
    for directory in (*_first(), *_rest()):
        assert f"`{directory}`" in guide, directory
