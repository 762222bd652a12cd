"""What must be true before a server listens: nobody may do everything from another machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pgqueue.addresses import is_loopback
from pgqueue.credentials import hash_password
from pgqueue.database.connection import connected, translated
from pgqueue.database.queries import query
from pgqueue.errors import UsageError

if TYPE_CHECKING:
    from pgqueue.settings import Settings

__all__ = ["prepare_access"]


def prepare_access(dsn: str, host: str, settings: Settings) -> bool:
    """Return whether a server on ``host`` is open to everyone who reaches it.

    The first time, it adds the admin that ``PGQUEUE_ADMIN_EMAIL`` names.

    Raises:
        UsageError: it would be open to other machines.
        DatabaseUnavailable: this cannot be found out.
    """
    with connected(dsn, "pgqueue access") as connection, translated():
        is_open = bool((connection.execute(query("access_is_open")).fetchone() or (True,))[0])
        if is_open and settings.admin_email:
            admin = {
                "email": settings.admin_email,
                "role": "admin",
                "name": "",
                "password_hash": hash_password(_password(settings)),
            }
            connection.execute(query("add_first_admin"), admin)
            is_open = False
    if is_open and not is_loopback(host):
        raise UsageError(
            f"there are no users, so everyone who reaches {host} could do everything",
            hint="add one with `pgqueue users add --admin ada@example.com`, then make keys with "
            "`pgqueue keys create`: while `pgqueue up` runs on 127.0.0.1, if PostgreSQL is its "
            "own",
        )
    return is_open


def _password(settings: Settings) -> str:
    if settings.admin_password_file is None:
        raise UsageError(
            "PGQUEUE_ADMIN_EMAIL is set, and PGQUEUE_ADMIN_PASSWORD_FILE is not",
            hint="write the password of the first admin into a file, and name it",
        )
    try:
        return Path(settings.admin_password_file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the password of the first admin cannot be read: {error}",
            hint="see PGQUEUE_ADMIN_PASSWORD_FILE",
        ) from None
