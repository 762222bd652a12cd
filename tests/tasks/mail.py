"""A real SMTP server for the tests: it keeps what came, and refuses, defers or stalls as told."""

import ssl
import threading
import warnings
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.processes import free_port
from tests.worker.outbound.origin import certificate

USER, PASSWORD = b"shop", b"correct horse"


@dataclass
class Inbox:
    """What came; `answers` has what is said to RCPT or to the message of an address instead."""

    received: list[tuple[str, EmailMessage]] = field(default_factory=list)
    rcpt: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    stall: dict[str, threading.Event] = field(default_factory=dict)  # before it answers RCPT
    stall_data: dict[str, threading.Event] = field(default_factory=dict)
    came: threading.Condition = field(default_factory=threading.Condition)
    seen: list[str] = field(default_factory=list)  # each RCPT and DATA

    def note(self, what: str) -> None:
        with self.came:
            self.seen.append(what)
            self.came.notify_all()

    def wait_for(self, what: str, seconds: float = 45) -> None:
        with self.came:
            assert self.came.wait_for(lambda: what in self.seen, seconds), self.seen

    @property
    def addresses(self) -> list[str]:
        return [address for address, _ in self.received]

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        self.note(f"RCPT {address}")
        if address in self.stall:
            await server.loop.run_in_executor(None, self.stall[address].wait, 60)
        if address in self.rcpt:
            return self.rcpt[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        (address,) = envelope.rcpt_tos
        self.note(f"DATA {address}")
        if address in self.stall_data:
            await server.loop.run_in_executor(None, self.stall_data[address].wait, 60)
        if address in self.data:
            return self.data[address]
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.received.append((address, message))
        return "250 taken"


class MailServer:
    """Runs until closed. With TLS, its certificate is for localhost, in `ca_file`."""

    def __init__(self, folder: Path, tls: str = "none", *, auth: bool = False) -> None:
        self.inbox = Inbox()
        self.tls = tls
        self.auth = auth
        context = None
        if tls != "none":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate(folder, "localhost"))
            self.ca_file = str(folder / "cert.pem")
        options = {
            "auth_required": auth,
            "auth_require_tls": tls == "starttls",
            "authenticator": self._check if auth else None,
            "require_starttls": tls == "starttls",
            "tls_context": context if tls == "starttls" else None,
        }

        class Quick(Controller):
            def factory(self) -> SMTP:
                with warnings.catch_warnings():  # it does not know that all of tls=tls is TLS
                    warnings.simplefilter("ignore", UserWarning)
                    return SMTP(self.handler, hostname="localhost", **options)

        self._controller = Quick(
            self.inbox,
            hostname="127.0.0.1",
            port=free_port(),
            ssl_context=context if tls == "tls" else None,
            ready_timeout=45,
        )
        self._controller.start()
        self.port = self._controller.port

    def _check(self, server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER, PASSWORD)
        return AuthResult(success=good, handled=False)

    def environment(self) -> dict[str, str]:
        """The settings of a worker that is to use it."""
        settings = {
            "PGQUEUE_SMTP_HOST": "localhost" if self.tls != "none" else "127.0.0.1",
            "PGQUEUE_SMTP_PORT": str(self.port),
            "PGQUEUE_SMTP_TLS": self.tls,
            "PGQUEUE_SMTP_FROM": "news@shop.example",
        }
        if self.tls != "none":
            settings["PGQUEUE_SMTP_CA_FILE"] = self.ca_file
        if self.auth:
            settings |= {
                "PGQUEUE_SMTP_USERNAME": USER.decode(),
                "PGQUEUE_SMTP_PASSWORD": PASSWORD.decode(),
            }
        return settings

    def close(self) -> None:
        for stalled in (*self.inbox.stall.values(), *self.inbox.stall_data.values()):
            stalled.set()
        self._controller.stop()
