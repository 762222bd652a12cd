"""Faults: each a story of what is broken and mended, told in steps with pauses in between.

A fault is a generator that yields how many seconds to wait before its next step; what it has broken
is whole again when it ends, however it ends. ``disturbs`` says whether attempts may be interrupted
by it: nothing else explains a task that was executed once more.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import psutil
import psycopg

from tests.chaos.proxy import Way
from tests.chaos.stage import LEASE_S, Program, Stage

__all__ = ["CLOCKS", "KINDS", "Kind", "Steps"]

Steps = Generator[float, None, None]


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    name: str
    disturbs: bool
    play: Callable[[Stage, Random], Steps]


KINDS: dict[str, Kind] = {}
CLOCKS = ("turn_the_clock",)
"""Those that take libfaketime."""


def _fault(*, disturbs: bool) -> Callable[[Callable[[Stage, Random], Steps]], Kind]:
    def register(play: Callable[[Stage, Random], Steps]) -> Kind:
        name = play.__name__
        KINDS[name] = Kind(name, disturbs, play)
        return KINDS[name]

    return register


def _supervisor(stage: Stage, chance: Random) -> Program:
    return chance.choice(stage.supervisors)


@_fault(disturbs=True)
def kill_worker(stage: Stage, chance: Random) -> Steps:
    workers = stage.workers()
    if workers:
        with suppress(psutil.NoSuchProcess):
            chance.choice(workers).kill()
    yield 1


@_fault(disturbs=True)
def kill_supervisor(stage: Stage, chance: Random) -> Steps:
    victim = _supervisor(stage, chance)
    victim.kill()
    yield chance.uniform(0, 2)
    victim.start()
    yield LEASE_S  # until then nobody takes what it had


@_fault(disturbs=True)
def freeze(stage: Stage, chance: Random) -> Steps:
    """Past the lease: with its processes, or alone, so that they work on and are not heard of."""
    victim = _supervisor(stage, chance)
    victim.signal(signal.SIGSTOP, children=chance.random() < 0.6)
    try:
        yield LEASE_S + chance.uniform(0.5, 2)
    finally:
        victim.signal(signal.SIGCONT, children=True)


@_fault(disturbs=True)
def cut_sessions(stage: Stage, chance: Random) -> Steps:
    for _ in range(chance.randint(5, 30)):
        stage.try_(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
            " and application_name like 'pgqueue%' order by random() limit 1"
        )
        yield 0.1


@_fault(disturbs=True)
def crash_postgresql(stage: Stage, chance: Random) -> Steps:
    stage.crash()
    try:
        yield chance.uniform(0, 1)
    finally:
        stage.server.start()
    yield 3  # the longest pause of those who wait for it


@_fault(disturbs=False)
def deafen(stage: Stage, chance: Random) -> Steps:
    stage.try_(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name in ('pgqueue listen', 'pgqueue api listen')"
    )
    stage.try_("delete from pgqueue_private.listener")
    yield 1


@_fault(disturbs=False)
def hold_snapshot(stage: Stage, chance: Random) -> Steps:
    with suppress(psycopg.OperationalError), psycopg.connect(stage.dsn) as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("select count(*) from pgqueue_private.queue")
        yield chance.uniform(3, 8)


@_fault(disturbs=False)
def turn_the_clock(stage: Stage, chance: Random) -> Steps:
    stage.turn_the_clock(chance.choice(("-10y", "-1h", "+1h", "+10y")))
    try:
        yield chance.uniform(3, 8)
    finally:
        stage.turn_the_clock("+0")


@_fault(disturbs=False)
def roll_out(stage: Stage, chance: Random) -> Steps:
    """Stop and start one supervisor after the other, as a deploy does."""
    for victim in stage.supervisors:
        victim.signal(signal.SIGTERM)
        while victim.alive:
            yield 0.1
        victim.start()


@_fault(disturbs=False)
def kill_api(stage: Stage, chance: Random) -> Steps:
    stage.api.kill()
    try:
        yield chance.uniform(0, 2)
    finally:
        stage.api.start()


@_fault(disturbs=False)
def kill_client(stage: Stage, chance: Random) -> Steps:
    """In the middle of a call, if it makes one within a second."""
    victim = chance.choice(stage.clients)
    looks = 0
    while not victim.in_a_call and (looks := looks + 1) < 200:
        yield 0.005
    victim.kill()
    try:
        yield chance.uniform(0, 1)
    finally:
        victim.start()


@_fault(disturbs=True)
def reset_connections(stage: Stage, chance: Random) -> Steps:
    for _ in range(chance.randint(1, 5)):
        stage.proxy.reset()
        yield chance.uniform(0.1, 1)


@_fault(disturbs=True)
def swallow(stage: Stage, chance: Random) -> Steps:
    """What is sent arrives nowhere, one way or both, and nobody is told."""
    stage.proxy.swallow(*chance.choice(((), (Way.TO_SERVER,), (Way.TO_CLIENT,))))
    try:
        yield LEASE_S + chance.uniform(0, 3)
    finally:
        stage.proxy.heal()
    yield 3


@_fault(disturbs=True)
def cut_after_some_bytes(stage: Stage, chance: Random) -> Steps:
    stage.proxy.cut_after(chance.randint(1, 5_000), chance.choice([*Way]))
    try:
        yield chance.uniform(1, 4)
    finally:
        stage.proxy.heal()
    yield 3


@_fault(disturbs=True)
def lose_answers(stage: Stage, chance: Random) -> Steps:
    """The server does it, and nobody hears that it has: commits, finishes, enqueues, claims."""
    statements = (
        "^commit$",
        r"pgqueue_private\.finish",
        r"pgqueue\.enqueue",
        r"pgqueue_private\.claim",
    )
    try:
        for _ in range(chance.randint(2, 8)):
            stage.proxy.lose_answer(chance.choice(statements))
            yield chance.uniform(0.1, 0.8)
    finally:
        stage.proxy.heal()
    yield 1


@_fault(disturbs=False)
def delay(stage: Stage, chance: Random) -> Steps:
    stage.proxy.delay(chance.uniform(0.005, 0.15))
    try:
        yield chance.uniform(2, 6)
    finally:
        stage.proxy.heal()


@_fault(disturbs=False)
def drop_notifications(stage: Stage, chance: Random) -> Steps:
    stage.proxy.drop_notifications()
    try:
        yield chance.uniform(3, 8)
    finally:
        stage.proxy.heal()
