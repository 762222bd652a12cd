"""What messages and chapters tell people to set: variables and options that exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pgqueue_tasks._email.settings import MailSettings
from pgqueue_tasks._models.settings import ModelSettings
from pydantic import AliasChoices

from pgqueue.commands.cli import group
from pgqueue.errors import UsageError
from pgqueue.settings import Environment, Settings

TOP = Path(__file__).parents[2]
SOURCES = [
    *(file for room in ("pgqueue", "api", "worker") for file in (TOP / room).rglob("*.py")),
    *(file for file in (TOP / "sql").rglob("*.sql")),
]
PROSE = [TOP / "README.md", TOP / "compose.yaml", *(TOP / "docs").glob("*.md")]
VARIABLE = re.compile(r"\bPGQUEUE_[A-Z][A-Z_]*[A-Z]\b")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OTHERS = {
    "PGQUEUE_URL",  # of the examples
    "PGQUEUE_TEST_DATABASE_URL",  # of pgqueue.testing
}


def variables(settings: type[Environment]) -> Iterator[str]:
    """Yield the variables of settings."""
    prefix = settings.model_config["env_prefix"]
    for name, field in settings.model_fields.items():
        match field.validation_alias:
            case None:
                yield prefix + name.upper()
            case str(alias):
                yield alias
            case AliasChoices(choices=names):
                yield from map(str, names)


def known_variable(name: str) -> bool:
    known = {v for kind in (Settings, MailSettings, ModelSettings) for v in variables(kind)}
    return name in known | OTHERS or name.startswith("PGQUEUE_HOOK")  # and the name of a source


def options() -> set[str]:
    """The options of all commands."""
    found = {"--help", "--version"}
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        for one in (command, *getattr(command, "commands", {}).values()):
            found |= {text for param in one.params for text in param.opts}
    return found


def hints(file: Path) -> Iterator[str]:
    """Yield the texts of a module that are passed as a hint, or as one by another name."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.keyword(arg="hint" | "advice", value=value):
                yield ast.unparse(value)
            case ast.Assign(targets=[ast.Name(id="hint")], value=value):
                yield ast.unparse(value)


def test_every_variable_that_a_text_names_exists() -> None:
    named = {
        (str(file.relative_to(TOP)), name)
        for file in (*SOURCES, *PROSE)
        for name in VARIABLE.findall(file.read_text())
    }
    assert len(named) > 50
    assert sorted(one for one in named if not known_variable(one[1])) == []


def test_every_option_that_a_hint_names_exists() -> None:
    named = {
        (str(file.relative_to(TOP)), name)
        for file in SOURCES
        if file.suffix == ".py"
        for hint in hints(file)
        for name in OPTION.findall(hint)
    }
    assert len(named) > 5
    assert sorted(one for one in named if one[1] not in options()) == []


def test_every_setting_is_in_the_chapter_about_them() -> None:
    chapter = (TOP / "docs/operations.md").read_text()
    assert [name for name in variables(Settings) if f"`{name}`" not in chapter] == []


@pytest.mark.parametrize(
    ("settings", "variable", "value", "says"),
    [
        (Settings, "PGQUEUE_LEASE_S", "long", "PGQUEUE_LEASE_S is 'long': input should be a valid"),
        (Settings, "PGQUEUE_LOG_FORMAT", "xml", "PGQUEUE_LOG_FORMAT is 'xml': input should be"),
        (MailSettings, "PGQUEUE_SMTP_PORT", "smtp", "PGQUEUE_SMTP_PORT is 'smtp'"),
    ],
)
def test_an_invalid_setting_is_told_by_the_name_of_its_variable(
    settings: type[Environment],
    variable: str,
    value: str,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=re.escape(says)):
        settings()
