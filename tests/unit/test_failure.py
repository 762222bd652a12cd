"""What is stored of an exception: enough to tell one failure from another."""

import orjson

from pgqueue.handlers.failure import describe
from pgqueue.models.values import encode


def caught(call) -> BaseException:
    try:
        call()
    except BaseException as error:  # noqa: BLE001
        return error
    raise AssertionError


def handler() -> None:
    helper()


def helper() -> None:
    raise LookupError("gone")


def test_the_frame_is_the_innermost_function_of_the_users_own_code() -> None:
    described = describe(caught(handler), skip_frames=1)
    assert described["frame"] == f"{__name__}.helper"
    assert (described["type"], described["message"]) == ("LookupError", "gone")


def test_what_libraries_do_inside_is_not_the_users_code() -> None:
    def parses() -> None:
        import json

        json.loads("{")

    def misuses() -> None:
        encode(object())

    for call in (parses, misuses):
        assert describe(caught(call), skip_frames=1)["frame"].endswith(f"{call.__name__}")


def test_an_error_that_was_never_raised_has_no_frame() -> None:
    assert describe(ValueError("x"))["frame"] is None


def test_a_frame_survives_names_that_postgresql_could_not_store() -> None:
    names: dict = {"__name__": "a\0b" + "c" * 1000}
    exec("def f():\n    raise ValueError", names)
    frame = describe(caught(names["f"]), skip_frames=1)["frame"]
    assert "\0" not in frame
    assert len(frame) == 300
    assert orjson.dumps(frame)
