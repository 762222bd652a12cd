"""A real HTTP origin for what is sent to the outside: it keeps what came, and answers as told."""

import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"


@dataclass
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"thanks"
    act: Callable[[BaseHTTPRequestHandler], None] | None = None  # instead of all else
    wait: threading.Event | None = None  # before it answers


class Origin:
    """`reply` is called with each request; `received` grows before it is answered."""

    def __init__(self, reply: Callable[[Received], Reply] | None = None, tls: Path | None = None):
        self.received: list[Received] = []
        self.reply = reply or (lambda _: Reply())
        self._came = threading.Condition()
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                came = Received(
                    self.path, dict(self.headers.items()), self.rfile.read(length), self.command
                )
                reply = origin.reply(came)
                with origin._came:
                    origin.received.append(came)
                    origin._came.notify_all()
                if reply.wait is not None:
                    reply.wait.wait(60)
                try:
                    if reply.act is not None:
                        reply.act(self)
                        return
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(reply.body)))
                    self.end_headers()
                    self.wfile.write(reply.body)
                except OSError:
                    pass  # it hung up

            do_GET = do_POST  # noqa: N815  the name that the server calls

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.scheme = "http"
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self.server_names: list[str | None] = []
            context.sni_callback = lambda _, name, __: self.server_names.append(name)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.scheme = "https"
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, host: str = "127.0.0.1", path: str = "/hook") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def wait_for(self, n: int, seconds: float = 45) -> list[Received]:
        """Wait until `n` requests have come."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.received) >= n, seconds), self.received
            return self.received[:]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def certificate(folder: Path, name: str) -> Path:
    """Make a key and a certificate of its own for a name, in one file."""
    file = folder / "origin.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *(
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN={name}",
                "-addext",
                f"subjectAltName=DNS:{name}",
            ),
            *("-keyout", str(file), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    with file.open("a") as out:
        out.write((folder / "cert.pem").read_text())
    return file
