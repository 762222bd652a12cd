"""Callers of every kind: users, their keys and their sessions."""

from collections.abc import Callable

import httpx
import pytest
from pgqueue_api.app import Api

from pgqueue import credentials
from tests.api.worker import Worker

PASSWORD = "correct horse battery"
HASH = credentials.hash_password(PASSWORD)

Caller = Callable[..., dict[str, str]]
"""Returns the headers of a new key of a user with a role."""


class People:
    """Adds users and keys, as the commands do."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._n = 0

    def user(self, role: str = "viewer", email: str | None = None) -> tuple[int, str]:
        """Add a user, whose password is ``PASSWORD``, and return the id and the e-mail address."""
        self._n += 1
        email = email or f"{role}-{self._n}@example.com"
        id = self._worker.value(
            "select pgqueue_private.add_user(%s, %s, '', %s)", email, role, HASH
        )
        return id, email

    def key(self, user_id: int, *scopes: str, expires_in: str | None = None, **more: object) -> str:
        """Add a key of a user, and return it."""
        key = credentials.new_api_key()
        self._worker.rows(
            """select pgqueue_private.create_api_key(
                   %s, %s, %s, 'a key', %s, %s, %s, pgqueue.clock() + %s::interval
               )""",
            *(key.id, credentials.sha256(key.secret), user_id, [*scopes]),
            *(more.get("queues"), more.get("types"), expires_in),
        )
        return key.text


@pytest.fixture
def people(worker: Worker) -> People:
    return People(worker)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def heard(app: Api, worker: Worker) -> None:
    """Return when the API has heard what was changed behind its back."""
    app.services.gate.forget()


async def signed_in(client: httpx.AsyncClient, email: str) -> dict[str, str]:
    """Sign in, and return the headers of the session: its cookie and its token."""
    answer = await client.post("/v1/session", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    cookie = answer.headers["set-cookie"].split(";")[0]
    client.cookies.clear()
    return {"cookie": cookie, "x-csrf-token": answer.json()["csrf_token"]}
