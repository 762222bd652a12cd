"""What every test that breaks something ends with: the queue is sound."""

import psycopg


def violations(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Return what `pgqueue.check()` finds: topic, subject and detail of each."""
    found = connection.execute("select topic, subject, detail from pgqueue.check()").fetchall()
    return [(topic, subject, detail) for topic, subject, detail in found]


def assert_sound(connection: psycopg.Connection) -> None:
    """Fail, naming each violation, unless every task is in exactly one place and all agrees."""
    found = violations(connection)
    assert not found, "\n".join(" ".join(map(str, row)) for row in found)
