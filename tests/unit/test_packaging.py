"""What a user gets who installs pgqueue, and what the lock files promise."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
LOCKS = ("requirements.lock", "requirements-dev.lock")


def sql_files() -> set[str]:
    return {str(file.relative_to(TOP / "sql")) for file in (TOP / "sql").rglob("*.sql")}


def build(target: str, directory: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(directory)]
    subprocess.run(command, check=True, cwd=TOP, capture_output=True)
    (built,) = directory.iterdir()
    return built


def test_a_wheel_holds_all_packages_and_every_sql_file(tmp_path: Path) -> None:
    names = zipfile.ZipFile(build("wheel", tmp_path)).namelist()
    prefix = "pgqueue/_sql/"
    assert {name.removeprefix(prefix) for name in names if name.startswith(prefix)} == sql_files()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "pgqueue",
        "pgqueue_api",
        "pgqueue_tasks",
        "pgqueue_worker",
        "pytest_pgqueue.py",
    }
    assert "pgqueue/py.typed" in names


def test_a_source_distribution_holds_every_sql_file(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = archive.getnames()
    found = {name.split("/_sql/", 1)[1] for name in names if "/_sql/" in name}
    assert found >= sql_files()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_address_and_no_path_and_hashes_everything(lock: str) -> None:
    text = (TOP / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index|--find|-f|/|\.)", text, re.MULTILINE)
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_lock_files_hold_every_dependency_under_one_version() -> None:
    run, development = (locked(lock) for lock in LOCKS)
    project = PROJECT["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    assert {name_of(requirement) for requirement in wanted} <= set(run)
    for group in PROJECT["dependency-groups"].values():
        wanted += group
    assert {name_of(requirement) for requirement in wanted} <= set(development)
    assert run.items() <= development.items()


def locked(lock: str) -> dict[str, str]:
    text = (TOP / lock).read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)==([^\s;]+)", text, re.MULTILINE))


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match
    return match[0].lower().replace("_", "-")
