"""A plugin for pytest: writes down which tests passed, and by what each of the others failed.

``pytest -p tests.mutants.verdicts --verdicts FILE``: FILE holds {test: verdict}, where a verdict is
"passed", "assertion: …" (an assertion of the test or of its fixtures' last look) or "broken: …".
"""

import json
from collections.abc import Generator
from pathlib import Path

import pytest

_PROPERTY = "verdict"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--verdicts", type=Path, required=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None:
        error = call.excinfo.value
        said = f"{call.excinfo.typename}: {str(error).strip().splitlines()[:1]}"
        asserted = (
            isinstance(error, AssertionError | pytest.fail.Exception)
            and call.when != "setup"
            and "pytest-timeout" not in str(error)
        )
        report.user_properties.append((_PROPERTY, ("broken", "assertion")[asserted] + f": {said}"))
    return report


class _Verdicts:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._of: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        said = [value for name, value in report.user_properties if name == _PROPERTY]
        if report.when == "call" and report.passed:
            self._of.setdefault(report.nodeid, "passed")
        elif report.skipped:
            self._of[report.nodeid] = "broken: skipped"
        elif report.failed:
            before = self._of.get(report.nodeid, "passed")
            self._of[report.nodeid] = said[-1] if before == "passed" else before

    def pytest_sessionfinish(self) -> None:
        self._file.write_text(json.dumps(self._of))


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # under xdist, where all reports arrive
        config.pluginmanager.register(_Verdicts(config.getoption("--verdicts")))
