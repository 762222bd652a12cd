"""The proxy breaks what it is asked to break, and nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from socket import socket

import psycopg
import pytest

from tests.chaos.proxy import Proxy, Way, proxied


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    with proxied(database) as proxy:
        yield proxy


@pytest.fixture
def through(proxy: Proxy) -> Iterator[Callable[..., psycopg.Connection]]:
    opened: list[psycopg.Connection] = []

    def connect(name: str = "a", **options: object) -> psycopg.Connection:
        options = {"autocommit": True, "application_name": name, **options}
        opened.append(psycopg.connect(proxy.dsn, **options))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


Connect = Callable[..., psycopg.Connection]


def test_what_is_not_broken_passes_unchanged(through: Connect) -> None:
    connection = through()
    text = "0123456789" * 100_000
    assert connection.execute("select %s::text", (text,)).fetchone() == (text,)
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("select 1 / 0")
    rows = connection.execute("select n from generate_series(1, 5000) as s (n)").fetchall()
    assert len(rows) == 5000


def test_a_reset_strikes_the_connections_of_one_application_only(
    proxy: Proxy, through: Connect
) -> None:
    one, other = through("one"), through("other")
    assert (proxy.connections(), proxy.reset(only="one"), proxy.connections()) == (2, 1, 1)
    with socket(fileno=os.dup(one.fileno())) as raw:
        raw.settimeout(5)
        with pytest.raises(ConnectionResetError):
            raw.recv(1)
    assert other.execute("select 1").fetchone() == (1,)


def test_a_close_is_an_orderly_end(proxy: Proxy, through: Connect) -> None:
    connection = through()
    assert proxy.close() == 1
    with pytest.raises(psycopg.OperationalError, match="closed"):
        connection.execute("select 1")
    assert through().execute("select 1").fetchone() == (1,)


def test_a_server_that_says_goodbye_is_heard(through: Connect) -> None:
    connection = through()
    with pytest.raises(psycopg.errors.AdminShutdown):
        connection.execute("select pg_terminate_backend(pg_backend_pid())")


def test_new_connections_are_refused_until_it_is_healed(proxy: Proxy, through: Connect) -> None:
    proxy.refuse()
    with pytest.raises(psycopg.OperationalError):
        through()
    proxy.heal()
    assert through().execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("way", Way)
def test_what_is_swallowed_never_arrives_and_a_heal_ends_the_wait(
    proxy: Proxy, through: Connect, way: Way, connect: Connect
) -> None:
    connection, direct = through(), connect()
    direct.execute("create table reached (n int)")
    connection.execute("select 1")
    proxy.swallow(way, only="a")
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(connection.execute, "insert into reached values (1)")
        with pytest.raises(TimeoutError):
            asked.result(1)
        (n,) = direct.execute("select count(*) from reached").fetchone()
        assert n == (1 if way is Way.TO_CLIENT else 0)
        proxy.heal()
        with pytest.raises(psycopg.OperationalError):
            asked.result(10)


def test_a_vanished_server_answers_nothing_not_even_for_tcp(proxy: Proxy, through: Connect) -> None:
    connection = through(tcp_user_timeout=1000)
    proxy.vanish()
    begin = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match="timed out"):
        connection.execute("select 1")
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        through(connect_timeout=2)
    assert time.monotonic() - begin < 15
    proxy.heal()
    assert through().execute("select 1").fetchone() == (1,)


def test_each_piece_is_delayed(proxy: Proxy, through: Connect) -> None:
    connection = through()
    proxy.delay(0.2)
    begin = time.monotonic()
    connection.execute("select 1")
    assert time.monotonic() - begin >= 0.4
    proxy.heal()


@pytest.mark.parametrize("way", Way)
def test_a_connection_is_cut_within_a_message(proxy: Proxy, through: Connect, way: Way) -> None:
    connection = through()
    proxy.cut_after(12, way)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("select 'more than twelve bytes, there and back'")
    proxy.heal()
    assert through().execute("select 1").fetchone() == (1,)


def test_the_answer_to_a_commit_is_lost_and_the_commit_is_not(
    proxy: Proxy, through: Connect, connect: Connect
) -> None:
    connect().execute("create table kept (n int)")
    connection = through()
    proxy.lose_answer()
    with pytest.raises(psycopg.OperationalError), connection.transaction():
        connection.execute("insert into kept values (1)")
    assert proxy.lost.wait(5)
    assert connect().execute("select n from kept").fetchall() == [(1,)]
    assert through().execute("select 1").fetchone() == (1,)


def test_the_answer_to_a_prepared_statement_is_lost(
    proxy: Proxy, through: Connect, connect: Connect
) -> None:
    connect().execute("create table kept (n int)")
    connection = through()
    for n in range(2):
        connection.execute("insert into kept values (%s)", (n,), prepare=True)
    proxy.lose_answer("into kept", only="a")
    with pytest.raises(psycopg.OperationalError):
        connection.execute("insert into kept values (%s)", (2,), prepare=True)
    assert proxy.lost.wait(5)
    assert connect().execute("select count(*) from kept").fetchone() == (3,)


def test_notifications_are_dropped_and_nothing_else(proxy: Proxy, through: Connect) -> None:
    connection = through()
    connection.execute("listen bell")
    proxy.drop_notifications()
    connection.execute("select pg_notify('bell', 'unheard'), 1")
    proxy.heal()
    connection.execute("notify bell, 'heard'")
    assert [n.payload for n in connection.notifies(timeout=45, stop_after=1)] == ["heard"]
