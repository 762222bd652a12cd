"""The dashboard in a real browser, over a real server and a worker that the test plays."""

import pytest

from tests.api.conftest import limits, served, template, worker
from tests.browser import chromium, visitor

__all__ = ["chromium", "limits", "served", "template", "visitor", "worker"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/dashboard" in item.path.as_posix():
            item.add_marker(pytest.mark.chromium)
