"""A worker as its users start it, and in the end a queue that is sound."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.soundness import assert_sound
from tests.worker.conftest import Bench


@pytest.fixture
def bench(database: str, tmp_path: Path) -> Iterator[Bench]:
    """See to it that whatever a test has broken, all that is stored agrees afterwards."""
    bench = Bench(database, tmp_path)
    yield bench
    try:
        with psycopg.connect(database) as connection:
            assert_sound(connection)
    finally:
        bench.close()
