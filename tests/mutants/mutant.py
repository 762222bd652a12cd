"""What a mutant is: a protection taken out of the product, and the tests that must notice."""

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Change", "Mutant", "NoLongerThereError", "Variant", "find", "one"]


class NoLongerThereError(Exception):
    """The text that a mutant replaces is not in the code, or not as often as it says."""


@dataclass(frozen=True)
class Change:
    """A text of one file, and what takes its place. It must be there exactly ``times`` times."""

    file: str
    old: str
    new: str
    times: int = 1

    def check(self, root: Path) -> str:
        """Return the file's text as changed; raises ``NoLongerThereError``."""
        path = root / self.file
        text = path.read_text() if path.exists() else ""
        if (found := text.count(self.old)) != self.times:
            message = f"{self.file} has this {found} times instead of {self.times}:\n{self.old}"
            raise NoLongerThereError(message)
        return text.replace(self.old, self.new)

    def apply(self, root: Path) -> None:
        """Change the file under ``root``."""
        (root / self.file).write_text(self.check(root))


@dataclass(frozen=True)
class Variant:
    """One way to take the protection out: the changes it needs, and the tests that must all fail.

    A test is called by its name, wherever it is: no two of them may have the same.

    A test fails by an assertion of its own: a tree that cannot be imported or migrated, or a
    statement that PostgreSQL does not take, catches nothing.
    """

    where: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Mutant:
    """A protection, in all the places that have it. It is caught if every variant is."""

    name: str
    without: str
    """What the code does no longer, for people to read."""
    variants: tuple[Variant, ...]


def one(name: str, without: str, change: Change, *tests: str) -> Mutant:
    """Return a protection that is in one place."""
    where = change.file.rpartition("/")[2]
    return Mutant(name, without, (Variant(where, (change,), tests),))


def find(root: Path, test: str) -> str:
    """Return where a test is, as pytest calls it; raises ``NoLongerThereError``."""
    name, *parameters = test.partition("[")
    define = re.compile(rf"^(?:async )?def {name}\(", re.MULTILINE)
    files = [
        file for file in (root / "tests").rglob("test_*.py") if define.search(file.read_text())
    ]
    if len(files) != 1:
        raise NoLongerThereError(f"{len(files)} tests instead of one are called {name}")
    return f"{files[0].relative_to(root)}::{name}{''.join(parameters)}"
