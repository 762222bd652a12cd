"""A body that its model refuses is answered with a pointer to each place."""

import pytest
from pgqueue_api.http.bodies import parse
from pgqueue_api.http.typed_body import validate
from pgqueue_api.problems import Invalid, InvalidJson

from pgqueue.models.queues.queue import QueueSettings
from pgqueue.models.tasks.task_change import TaskChange


def checked(model: type, content: bytes) -> object:
    return validate(model, content, parse(content, 64))


def places(model: type, text: str) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        checked(model, text.encode())
    return {place["pointer"]: place["message"] for place in refused.value.errors}


def test_what_is_left_out_is_not_set():
    settings = checked(QueueSettings, b'{"concurrency": 2.0, "retry": null}')
    assert settings.model_dump(exclude_unset=True) == {"concurrency": 2, "retry": None}


@pytest.mark.parametrize(
    ("text", "pointer", "message"),
    [
        ('{"rate": [{"count": 1}]}', "/rate/0", "'per_seconds' is required"),
        ('{"rate": [{"count": 1, "per_seconds": 1, "a/b": 2}]}', "/rate/0", "there is no 'a/b'"),
        ('{"fairness": {"weights": {"a/b~c": 0}}}', "/fairness/weights/a~1b~0c", "greater than"),
        ('{"concurrency": "2"}', "/concurrency", "valid integer"),
        ('{"concurrency": true}', "/concurrency", "valid integer"),
        ("[]", "", "object"),
    ],
)
def test_each_place_is_pointed_at(text: str, pointer: str, message: str):
    found = places(QueueSettings, text)
    assert [*found] == [pointer]
    assert message in found[pointer]


def test_a_union_is_one_place_and_names_all_that_it_could_be():
    found = places(TaskChange, '{"priority": "soon"}')
    assert [*found] == ["/priority"]
    assert "integer" in found["/priority"]
    assert "'high', 'normal' or 'low'" in found["/priority"]


def test_what_postgresql_cannot_store_is_refused_before_the_model_is_asked():
    with pytest.raises(InvalidJson, match="NUL"):
        checked(QueueSettings, b'{"paused_reason": "\\u0000"}')
