"""What a child does from the fork to its end, by the first message that it gets."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import structlog

from pgqueue.handlers.failure import describe
from pgqueue_worker.forks import end_copies
from pgqueue_worker.isolation import attempt_main, function_main
from pgqueue_worker.isolation.messages import MessageSocket
from pgqueue_worker.parent import die_with_parent

_OOM_SCORE = 900  # the kernel takes a child before its worker or PostgreSQL


def run(fork_server: int, end: int, output: int | None = None) -> NoReturn:
    """Be a child until its work is done or the worker is gone; never return to the fork server.

    ``fork_server`` is the pid of that, ``end`` the file descriptor of the child's socket, and
    ``output`` one for what it prints, if that does not go where the worker's output goes.
    """
    status = 1
    try:
        os.setsid()  # a group of its own: what a handler starts is killed with it
        die_with_parent(parent=fork_server)
        end_copies()
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))
        if output is not None:
            _redirect(output)
        messages = MessageSocket(socket.socket(fileno=end))
        start, blob = messages.receive()
        if start["kind"] == "function":
            function_main.run(messages, start, blob)
        else:
            attempt_main.run(messages, start)
        status = 0
    except EOFError:
        status = 0
    except BaseException as error:  # noqa: BLE001  the border of a process
        structlog.get_logger("pgqueue.worker").error("child_broke", **describe(error))
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _redirect(output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(old, new)
    os.close(nothing)
    os.close(output)
