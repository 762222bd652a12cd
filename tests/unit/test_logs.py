"""Logs: JSON for machines, text for people, everything through one door."""

import logging
import subprocess
import sys

import orjson
import pytest
import structlog

from pgqueue import logs


@pytest.fixture(autouse=True)
def restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_json_with_what_was_bound(capsys: pytest.CaptureFixture[str]):
    logs.configure("json")
    structlog.contextvars.bind_contextvars(task_id="7", attempt=2)
    logs.get_logger("pgqueue.worker").info("started", worker=5)
    [line] = lines(capsys)
    assert line | {"timestamp": ""} == {
        "event": "started",
        "level": "info",
        "logger": "pgqueue.worker",
        "task_id": "7",
        "attempt": 2,
        "worker": 5,
        "timestamp": "",
    }
    assert line["timestamp"].endswith("Z")


def test_what_other_libraries_log_comes_out_alike(capsys: pytest.CaptureFixture[str]):
    logs.configure("json")
    structlog.contextvars.bind_contextvars(task_id="7")
    logging.getLogger("psycopg").warning("gone: %s", "away")
    [line] = lines(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("gone: away", "warning", "psycopg")
    assert line["task_id"] == "7"


def test_an_exception_is_one_line_with_its_traceback(capsys: pytest.CaptureFixture[str]):
    logs.configure("json")
    try:
        int("no")
    except ValueError:
        logs.get_logger("x").exception("failed")
    [line] = lines(capsys)
    assert "ValueError: invalid literal" in line["exception"]


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]):
    logs.configure("json", "warning")
    logs.get_logger("x").info("quiet")
    logging.getLogger("y").info("quiet")
    logs.get_logger("x").warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_what_json_cannot_hold_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]):
    logs.configure("json")
    logs.get_logger("x").info("odd", value=object, number={1: 2})
    assert lines(capsys)[0]["value"] == "<class 'object'>"


def test_without_a_terminal_auto_is_json_and_text_is_readable():
    code = "from pgqueue import logs; logs.configure({!r}); logs.get_logger('x').info('hello', a=1)"
    out = {
        name: subprocess.run(
            [sys.executable, "-c", code.format(name)], capture_output=True, text=True, check=True
        ).stderr
        for name in ("auto", "text")
    }
    assert orjson.loads(out["auto"])["event"] == "hello"
    assert "hello" in out["text"]
    assert not out["text"].startswith("{")
