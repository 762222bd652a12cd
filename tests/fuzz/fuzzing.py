"""Calls to the whole API as schemathesis makes them up: example, boundary, random, in sequence.

The server and the worker are processes of their own, as its users have them. Event streams are
read up to their first event.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from pgqueue_api.app import document
from schemathesis import engine
from schemathesis.config import InferenceAlgorithm
from schemathesis.engine import events

from tests.fuzz import fuzzed

__all__ = ["Fuzzed", "fuzz"]


_EXAMPLES = 4  # a cycle, for each operation: the phases take turns until all calls are made
_FOR_EVER_S = 86_400
_ACCEPTED = ("positive_data_acceptance", "negative_data_rejection")
"""Left out: a type that nobody published, or `If-Match`, cannot be told from a schema."""


@dataclass
class Fuzzed:
    """What came of it."""

    calls: Counter[str] = field(default_factory=Counter)
    """By phase."""
    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.calls.total()


def fuzz(url: str, calls: int, seed: int, *, coverage: bool) -> Fuzzed:
    """Make so many calls; with ``coverage`` each boundary of each parameter first."""
    schema = schemathesis.openapi.from_dict(_document())
    config = schema.config
    config.base_url = url
    config.seed = seed
    config.max_time = _FOR_EVER_S
    config.max_stream_events = 1
    config.request_timeout = 30
    config.continue_on_failure = True
    config.generation.allow_x00 = True
    config.generation.no_shrink = True
    config.phases.coverage.enabled = coverage
    config.phases.fuzzing.generation.max_examples = _EXAMPLES
    config.phases.stateful.generation.max_examples = 10 * _EXAMPLES
    # what it would read from Location and bodies is in our own links
    config.phases.stateful.inference.algorithms = [InferenceAlgorithm.DEPENDENCY_ANALYSIS]
    for name in _ACCEPTED:
        getattr(config.checks, name).enabled = False
    found = Fuzzed()
    stream = engine.from_schema(schema).execute()
    for event in stream:
        if isinstance(event, events.ScenarioFinished):
            _take(event, found)
            if found.total >= calls:
                stream.stop()
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.failures.append(str(getattr(event, "info", None) or event))
    return found


def _document() -> dict[str, Any]:
    """Return the document, with the types that there are, and with waits that do not last."""
    narrowed = copy.deepcopy(document())
    del narrowed["paths"]["/v1/users"]["post"]  # with a user, every other call would be a 401
    task = narrowed["components"]["schemas"]["TaskInput"]["properties"]
    task["type"] = {"enum": list(fuzzed.app.types)}
    for path in narrowed["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "Prefer":
                    parameter["schema"] = {"enum": ["wait=0", "respond-async", "wait=0, x=\xe9"]}
                    del parameter["example"]
    return narrowed


def _take(event: events.ScenarioFinished, found: Fuzzed) -> None:
    recorder = event.recorder
    for id, interaction in recorder.interactions.items():
        found.calls[event.phase.value] += 1
        if interaction.response is not None:
            found.statuses[interaction.response.status_code] += 1
        case = recorder.cases[id].value
        found.operations.add(f"{case.operation.method.upper()} {case.operation.path}")
    for id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                command = recorder.cases[id].value.as_curl_command()[:2000]
                response = recorder.interactions[id].response
                answer = "" if response is None else response.text[:1000]
                found.failures.append(
                    f"{check.name}: {failure.title}\n{failure.message[:1000]}\n{command}\n{answer}"
                )
