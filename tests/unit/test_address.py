"""Connection strings that cannot be right: the cause is named, and no part of a password."""

import asyncio
import io
import logging
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest

from pgqueue import DatabaseUnavailable, PgQueue, PgQueueError, Settings, SyncClient, UsageError
from pgqueue.commands import cli
from pgqueue.commands.check import violations
from pgqueue.commands.doctor import examine
from pgqueue.database import pool
from pgqueue.database.link import Link
from pgqueue.database.listener import Listener
from pgqueue.database.migrations import migrate, plan
from pgqueue.database.options import Options

MARKER = "hunter2secret"

UNREADABLE = [
    "postgresql+psycopg://user:MARKER@127.0.0.1:1/db",
    "mysql://user:MARKER@127.0.0.1:1/db",
    "POSTGRESQL://user:MARKER@127.0.0.1:1/db",
    " postgresql://user:MARKER@127.0.0.1:1/db",
    "user:MARKER@127.0.0.1:1/db",
    "postgresql://user:MARKER%zz@127.0.0.1:1/db",
    "postgresql://user:%00MARKER@127.0.0.1:1/db",
    "postgresql://user:MARKER@[::1/db",
    "postgresql://user@127.0.0.1:1/db?password=MARKER&pasword=MARKER",
    "postgresql://user@127.0.0.1:1/db?password=a=MARKER",
    "host=127.0.0.1 port=1 password=MARKER MARKER",
    "host=127.0.0.1 port=1 password='MARKER",
    "host=127.0.0.1 port=1 password='MARKER' pasword=MARKER",
]
MISREAD = [
    "postgresql://user:MARKER@127.0.0.1:1/db",
    "postgresql://user:MARKER@127.0.0.1:port/db",
    "postgresql://user:MARKER/x@127.0.0.1:1/db",
    "postgresql://user:MARKER?x@127.0.0.1:1/db",
    "postgresql://user:a@MARKER@127.0.0.1:1/db",
    "postgresql://user:a/MARKER@127.0.0.1:1/db",
    "postgresql://user:a:MARKER@127.0.0.1:1/db",
    "postgresql://user:MARKER@127.0.0.1:1,127.0.0.1:2/db",
    "postgresql://user@127.0.0.1:1/db?password=MARKER",
    "host=127.0.0.1 port=1 user=u password='MARKER'",
    "host=127.0.0.1 port=MARKER user=u password=MARKER",
    "host=MARKER.invalid port=1 user=u password=MARKER",
]


def _urls(texts: list[str]) -> list[str]:
    return [text.replace("MARKER", MARKER) for text in texts]


async def _called(url: str) -> None:
    app = PgQueue(url)
    try:
        await app.enqueue("t")
    finally:
        await app.close()


async def _waited(url: str) -> None:
    app = PgQueue(url)
    await app.wait("00000000-0000-7000-8000-000000000000", timeout=5)


def _synced(url: str) -> None:
    with SyncClient(url) as client:
        client.enqueue("t")


def _examined(url: str) -> None:
    (finding,) = examine(url)
    raise DatabaseUnavailable(finding.finding or "", hint=finding.advice)


async def _listened(url: str) -> None:
    async def echo(_: str) -> None:
        pass

    heard = Listener(
        url,
        "n",
        application_name="a",
        listen="listen_events",
        echo=echo,
        hear=lambda *_: None,
        on_connect=lambda: None,
        on_change=lambda _: asyncio.current_task().cancel(),  # type: ignore[union-attr]
    )
    with suppress(asyncio.CancelledError):
        await heard.run()
    raise DatabaseUnavailable


ENTRIES: dict[str, Callable[[str], object]] = {
    "PgQueue": lambda url: asyncio.run(_called(url)),
    "PgQueue.wait": lambda url: asyncio.run(_waited(url)),
    "SyncClient": _synced,
    "Link": lambda url: asyncio.run(Link(url, Options("l")).connect()),
    "Listener": lambda url: asyncio.run(_listened(url)),
    "migrate": migrate,
    "plan": plan,
    "doctor": _examined,
    "check": violations,
}
COMMANDS = (
    "migrate",
    "migrate --dry-run",
    "doctor",
    "doctor --json",
    "check",
    "queue list",
    "task 00000000-0000-7000-8000-000000000000",
    "up --port 0",
    "psql",
    "worker --builtin",
    "api --port 0",
)


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_FIRST_S", 0.0)


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_entry_says_any_of_a_password_however_it_is_misread(
    entry: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for url in _urls(UNREADABLE + MISREAD):
        with pytest.raises(PgQueueError) as caught:
            ENTRIES[entry](url)
        said = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        error: BaseException | None = caught.value
        while error is not None:
            said += repr(error) + repr(error.__context__)
            error = error.__cause__ or error.__context__
        assert MARKER not in said, url
    out, err = capfd.readouterr()
    assert MARKER not in out + err + caplog.text


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_refuses_what_it_cannot_read_in_a_sentence(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pgqueue", *command.split()])
    for url in _urls(UNREADABLE):
        monkeypatch.setenv("PGQUEUE_DATABASE_URL", url)
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said), pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == 1
        assert MARKER not in said.getvalue()
        assert "pgqueue: PGQUEUE_DATABASE_URL " in said.getvalue()
        assert "hint: " in said.getvalue()
        assert "Traceback" not in said.getvalue()


def test_settings_show_no_url() -> None:
    settings = Settings(database_url=f"postgresql://u:{MARKER}@h/d", listen_url=MARKER)
    assert MARKER not in repr(settings) + str(settings)


def test_a_wrong_scheme_is_named_with_the_right_one() -> None:
    with pytest.raises(UsageError) as caught:
        Settings(database_url="postgresql+psycopg://u:p@h/d").dsn()
    assert str(caught.value) == (
        "PGQUEUE_DATABASE_URL begins with postgresql+psycopg://, which is not PostgreSQL's "
        "(begin it with postgresql://, such as postgresql://user:password@host:5432/database)"
    )
    with pytest.raises(UsageError, match="PGQUEUE_LISTEN_URL is not a connection string"):
        Settings(database_url="postgresql://h/d", listen_url="h").dsn()


@pytest.fixture
def refusing() -> Iterator[str]:
    """The address of a server that refuses every password."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        client.recv(1000)
                        fields = b"SFATAL\0C28P01\0Mpassword authentication failed for user\0\0"
                        client.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        yield f"postgresql://u:{MARKER}@127.0.0.1:{port}/d?sslmode=disable&gssencmode=disable"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_listener_that_never_connected_says_why(
    refusing: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with suppress(DatabaseUnavailable):
        ENTRIES["Listener"](refusing)
    said = "".join(capfd.readouterr()) + caplog.text
    assert "listener_not_connected" in said
    assert "password authentication failed" in said


@pytest.mark.parametrize("entry", [name for name in ENTRIES if name != "Listener"])
def test_each_entry_names_the_cause_of_a_connection_that_fails(entry: str, refusing: str) -> None:
    causes = {
        refusing: "password authentication failed",
        "postgresql://u@127.0.0.1:1/d": "Connection refused",
        "postgresql://u@localhost:1/d": "Connection refused",
        "postgresql://u@nowhere.invalid/d": "nowhere.invalid",
        "postgresql://u@/d?host=/nonexistent": "No such file or directory",
    }
    for url, cause in causes.items():
        with pytest.raises(DatabaseUnavailable) as caught:
            ENTRIES[entry](url)
        assert cause in str(caught.value), url
        assert "PGQUEUE_DATABASE_URL" in str(caught.value)
