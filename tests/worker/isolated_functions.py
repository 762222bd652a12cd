"""Functions that run in processes of their own, well-behaved and hostile."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path


class Refused(ValueError):
    """Arrives as itself."""


def back(ctx, *values):
    return values[0] if len(values) == 1 else values


def report(ctx):
    ctx.progress(40, "half")
    ctx.stream("a piece")
    ctx.log.warning("careful", n=1)
    return [ctx.task_id, ctx.attempt, ctx.type]


def surroundings(ctx):
    initial = Path("/proc/self/environ").read_bytes().decode().split("\0")
    return {
        "env": sorted(os.environ),
        "initial": [text for text in initial if text],
        "files": [path.name for path in Path().iterdir()],
    }


def pid(ctx):
    return os.getpid()


def printing(ctx):
    print("noise" * 100_000, flush=True)
    return 1, b"ab"


def writing(ctx, size):
    Path("x").write_bytes(b"y" * size)
    return Path("x").stat().st_size


def bytes_of(ctx, size):
    return 1, b"x" * size


def list_of(ctx, size):
    return ["x" * size]


def allocating(ctx, size):
    return len(bytearray(size))


def computing(ctx):
    while True:
        pass


def starting(ctx):
    """Start a process that is to outlive this one, and return its pid."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid


def waiting(ctx):
    ctx.progress(1, str(os.getpid()))
    time.sleep(600)


def raising(ctx, kind):
    raise {"refused": Refused, "key": KeyError}[kind]("why")


def leaving(ctx, status):
    os._exit(status)


def killed(ctx, number):
    os.kill(os.getpid(), number)
    time.sleep(60)


def dying_loudly(ctx):
    sys.stderr.write("the reason")
    sys.stderr.flush()
    os._exit(4)


def saving(ctx):
    ctx.save_artifact("a.txt", b"", "text/plain")


def taken_over(ctx, data):
    """Write to the worker what no function would."""
    (end,) = [int(path.name) for path in Path("/proc/self/fd").iterdir() if _is_socket(path)]
    os.write(end, data)
    time.sleep(60)


def _is_socket(path):
    return path.exists() and stat.S_ISSOCK(path.stat().st_mode) and int(path.name) > 2
