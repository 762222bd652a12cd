"""`pgqueue` commands in processes of their own, without the half second that their imports take.

One process of the run has imported what they need, and each command is a fork of it: otherwise it
is what a shell would start, with arguments, environment, session and output of its own. The worker
processes of a supervisor are forks, too.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

__all__ = ["Command", "start"]

_PRELOADED = ["pgqueue.commands.cli", "pgqueue_worker.cli", "tests.forked_workers"]

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(_PRELOADED)


class Command:
    """A command that was started; has what tests use of a `subprocess.Popen`."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        self.pid: int = process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("pgqueue", timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


def start(
    arguments: Sequence[str], environment: Mapping[str, str], output: Path
) -> Command | subprocess.Popen[bytes]:
    """Start ``pgqueue`` with these arguments; what it says goes to the file."""
    if "LD_PRELOAD" in environment:  # only what is executed anew loads it
        with output.open("w") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "pgqueue", *arguments],
                env=dict(environment),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    process = _forks.Process(target=_run, args=(list(arguments), dict(environment), str(output)))
    process.start()
    return Command(process)


def _run(arguments: list[str], environment: dict[str, str], output: str) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with Path(output).open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = ["pgqueue", *arguments]
    from pgqueue.commands.cli import main
    from tests.forked_workers import fork_workers

    fork_workers()
    main()
