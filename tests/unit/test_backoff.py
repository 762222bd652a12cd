"""A retry policy, as Python writes it."""

from datetime import timedelta

import pytest

from pgqueue import Backoff, NewTask, UsageError

POLICY = {"kind": "linear", "base_s": 120.0, "cap_s": 3600.0, "jitter": "none"}


def test_a_policy_has_the_words_of_sql_and_json() -> None:
    assert Backoff().as_policy() == {
        "kind": "exponential",
        "base_s": 1.0,
        "cap_s": 3600.0,
        "jitter": "equal",
    }
    assert Backoff("linear", timedelta(minutes=2), jitter="none").as_policy() == POLICY
    assert NewTask("t", retry=Backoff()).as_row()["retry"] == Backoff().as_policy()
    assert "retry" not in NewTask("t").as_row()


def test_a_policy_can_be_read_back() -> None:
    assert Backoff.from_policy(POLICY) == Backoff("linear", 120, jitter="none")
    assert Backoff.from_policy({}) == Backoff()
    with pytest.raises(UsageError, match="no 'factor'"):
        Backoff.from_policy({"factor": 3})


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "cubic"},
        {"jitter": "some"},
        {"base": -1},
        {"base": float("nan")},
        {"cap": float("inf")},
        {"cap": timedelta(days=36_500)},
    ],
)
def test_what_no_delay_can_be_computed_from_is_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))) as caught:
        Backoff(**wrong)
    assert caught.value.hint
