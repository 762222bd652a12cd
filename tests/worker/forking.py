"""The app whose handlers fork, and whose children do not end by themselves; and those that exit."""

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Callable

from pgqueue import Context, PgQueue

app = PgQueue()


def ended(pid: int) -> int:
    """Wait for the end of a child, and return its exit status."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def returning(pid: int) -> str | int:
    return "the child" if pid == 0 else ended(pid)


def raising(pid: int) -> int:
    if pid == 0:
        raise LookupError("in the child")
    return ended(pid)


def exiting(pid: int) -> int:
    if pid == 0:
        sys.exit(3)
    return ended(pid)


IN_CHILDREN: dict[str, tuple[Callable[[int], object], int]] = {
    "returns": (returning, 0),
    "raises": (raising, 1),
    "exits": (exiting, 3),
}
"""What a child does, and the exit status that this is."""


@app.task("fork", max_attempts=1)
def fork(ctx: Context, payload: dict) -> object:
    return IN_CHILDREN[payload["way"]][0](os.fork())


@app.task("fork_async", max_attempts=1)
async def fork_async(ctx: Context, payload: dict) -> object:
    return IN_CHILDREN[payload["way"]][0](os.fork())


@app.task("fork_isolated", isolation="process", max_attempts=1)
def fork_isolated(ctx: Context, payload: dict) -> object:
    return IN_CHILDREN[payload["way"]][0](os.fork())


@app.task("fork_isolated_async", isolation="process", max_attempts=1)
async def fork_isolated_async(ctx: Context, payload: dict) -> object:
    return IN_CHILDREN[payload["way"]][0](os.fork())


def forking_function(ctx: Context, way: str) -> object:
    return IN_CHILDREN[way][0](os.fork())


@app.task("fork_function", max_attempts=1)
async def fork_function(ctx: Context, payload: dict) -> object:
    return await ctx.run_isolated(forking_function, payload["way"])


async def gives_way(ctx: Context) -> object:
    pid = os.fork()
    if pid == 0:
        await asyncio.sleep(0)
    return returning(pid)


async def waits_for_a_task(ctx: Context) -> object:
    other = asyncio.create_task(asyncio.sleep(0.01))
    await asyncio.sleep(0)
    pid = os.fork()
    if pid == 0:
        await other
    return returning(pid)


async def sleeps(ctx: Context) -> object:
    pid = os.fork()
    if pid == 0:
        await asyncio.sleep(3600)
    return returning(pid)


async def calls_the_database(ctx: Context) -> object:
    pid = os.fork()
    if pid == 0:
        await ctx.checkpoint({"of": "the child"})
    return returning(pid)


async def in_a_task(ctx: Context) -> object:
    return await asyncio.create_task(gives_way(ctx))


async def in_gathered_tasks(ctx: Context) -> object:
    return (await asyncio.gather(sleeps(ctx), asyncio.sleep(0)))[0]


async def in_a_thread(ctx: Context) -> object:
    return await asyncio.to_thread(lambda: returning(os.fork()))


async def in_a_generator(ctx: Context) -> object:
    async def values():
        yield os.fork()
        await asyncio.sleep(0)

    async for pid in values():
        if pid:
            return ended(pid)
    return "the child"


PLACES = {
    place.__name__: place
    for place in (
        gives_way,
        waits_for_a_task,
        sleeps,
        calls_the_database,
        in_a_task,
        in_gathered_tasks,
        in_a_thread,
        in_a_generator,
    )
}


@app.task("fork_and", max_attempts=1)
async def fork_and(ctx: Context, payload: dict) -> object:
    return await PLACES[payload["place"]](ctx)


@app.task("fork_isolated_and", isolation="process", max_attempts=1)
async def fork_isolated_and(ctx: Context, payload: dict) -> object:
    return await PLACES[payload["place"]](ctx)


def report(ctx: Context, call: str) -> None:
    match call:
        case "progress":
            ctx.progress(50)
        case "log":
            ctx.log.info("from the child")
        case "artifact":
            ctx.save_artifact("child.txt", b"from the child", "text/plain")
        case "checkpoint":
            ctx.checkpoint({"of": "the child"})


CALLS = ("progress", "log", "artifact", "checkpoint")


def statuses(ctx: Context, call: str) -> list[int | None]:
    """Return the exit statuses of children, made in two ways, that use the context."""
    pid = os.fork()
    if pid == 0:
        report(ctx, call)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=report, args=(ctx, call))
    process.start()
    process.join()
    return [ended(pid), process.exitcode]


@app.task("report", max_attempts=1)
def report_(ctx: Context, payload: dict) -> object:
    return statuses(ctx, payload["call"])


@app.task("report_isolated", isolation="process", max_attempts=1)
def report_isolated(ctx: Context, payload: dict) -> object:
    return statuses(ctx, payload["call"])


@app.task("thread_forks", max_attempts=1)
def thread_forks(ctx: Context, payload: dict) -> int:
    """Leave what the child does to the child, and take a while."""
    pid = os.fork()
    if pid == 0:
        time.sleep(0.05)
        os._exit(7)
    return ended(pid)


async def leave() -> None:
    sys.exit(3)


async def exits_in_gather() -> None:
    await asyncio.gather(leave(), asyncio.sleep(3600))


async def exits_in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(leave())


async def exits_in_a_task() -> None:
    await asyncio.create_task(leave())


async def exits_in_wait() -> None:
    (done, _) = await asyncio.wait({asyncio.create_task(leave())})
    done.pop().result()


async def interrupts_in_gather() -> None:
    async def interrupt() -> None:
        raise KeyboardInterrupt

    await asyncio.gather(interrupt())


EXITS = {
    call.__name__: call
    for call in (leave, exits_in_gather, exits_in_a_group, exits_in_a_task, exits_in_wait)
}


@app.task("exit", max_attempts=1)
def exit_(ctx: Context, payload: dict) -> None:
    sys.exit(3)


@app.task("exit_isolated", isolation="process", max_attempts=1)
def exit_isolated(ctx: Context, payload: dict) -> None:
    sys.exit(3)


@app.task("exit_async", max_attempts=1)
async def exit_async(ctx: Context, payload: dict) -> None:
    await EXITS[payload["way"]]()


@app.task("exit_isolated_async", isolation="process", max_attempts=1)
async def exit_isolated_async(ctx: Context, payload: dict) -> None:
    await EXITS[payload["way"]]()


@app.task("exit_later", max_attempts=1)
async def exit_later(ctx: Context, payload: dict) -> str:
    """Leave it to the loop."""
    asyncio.get_running_loop().call_soon(sys.exit)
    await asyncio.sleep(0.01)
    return "still there"


@app.task("interrupt", max_attempts=1)
async def interrupt(ctx: Context, payload: dict) -> None:
    await interrupts_in_gather()
