"""The application on a database, built once in a run and lent again: building it takes 0.1 s."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from pgqueue_api.app import Api, create_app
from pgqueue_api.bounds import Bounds
from pgqueue_api.services import Services

from pgqueue.settings import Settings

__all__ = ["application"]

_idle: dict[Bounds, list[Api]] = defaultdict(list)


@contextmanager
def application(database: str, bounds: Bounds | None = None) -> Iterator[Api]:
    """Lend an application whose services are of its own; nobody else uses it meanwhile."""
    bounds = bounds or Bounds()
    settings = Settings(database_url=database)
    if _idle[bounds]:
        api = _idle[bounds].pop()
        api.services = Services(settings, bounds)
    else:
        api = create_app(settings, bounds)
    yield api
    _idle[bounds].append(api)
