"""A small OpenAI-compatible server: it answers as told, and keeps what it was asked."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "sk-test-4f1c9b7e2d8a6035"
MODEL = "test-model"


def chunk(text: str | None = None, reason: str | None = None, **more: object) -> dict:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": reason}
    return {
        "id": "c-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": [choice],
        **more,
    }


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
TEXT = [chunk("Once "), chunk("upon "), chunk("a time"), chunk(reason="stop")]


class ModelServer:
    """`answer` is called with the handler of each request and its body."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict, dict]] = []
        self.answer: Callable[[BaseHTTPRequestHandler, dict], None] = tell
        self.began = threading.Event()
        self.left = threading.Event()
        """A client hung up before it had the whole."""
        self.go_on = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            model_server = server

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.asked.append((self.path, dict(self.headers.items()), body))
                try:
                    server.answer(self, body)
                except OSError:
                    server.left.set()
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving() -> Iterator[ModelServer]:
    server = ModelServer()
    try:
        yield server
    finally:
        server.close()


def begin(handler: BaseHTTPRequestHandler, **headers: str) -> None:
    handler.send_response(200)
    for name, value in {"Content-Type": "text/event-stream", **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Connection", "close")
    handler.end_headers()


def send(handler: BaseHTTPRequestHandler, *events: object) -> None:
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        handler.wfile.write(f"data: {data}\n\n".encode())
        handler.wfile.flush()


def tell(handler: BaseHTTPRequestHandler, body: dict) -> None:
    """Tell a story, with the usage; or draw a picture."""
    if handler.path.endswith("/images/generations"):
        return picture(PNG)(handler, body)
    begin(handler)
    send(handler, *TEXT, {**chunk(), "choices": [], "usage": USAGE}, "[DONE]")
    return None


def raw(*pieces: bytes, **headers: str) -> Callable:
    """Send these bytes as the body of a stream."""

    def answer(handler: BaseHTTPRequestHandler, _: dict) -> None:
        begin(handler, **headers)
        for piece in pieces:
            handler.wfile.write(piece)

    return answer


def events(*given: object) -> Callable:
    """Stream these events."""

    def answer(handler: BaseHTTPRequestHandler, _: dict) -> None:
        begin(handler)
        send(handler, *given)

    return answer


def status(code: int, message: str = "no", **headers: str) -> Callable:
    """Answer with a status and an error as OpenAI does."""

    def answer(handler: BaseHTTPRequestHandler, _: dict) -> None:
        body = json.dumps({"error": {"message": message, "type": "x", "code": None}}).encode()
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def endless(piece: bytes) -> Callable:
    """Send a piece for ever."""

    def answer(handler: BaseHTTPRequestHandler, _: dict) -> None:
        begin(handler)
        while True:
            handler.wfile.write(piece)

    return answer


def held(*first: object) -> Callable:
    """Send these events, then nothing until the client leaves or the server is told."""

    def answer(handler: BaseHTTPRequestHandler, _: dict) -> None:
        begin(handler)
        send(handler, *first)
        handler.model_server.began.set()
        handler.connection.settimeout(30)
        if handler.connection.recv(1) == b"":  # a client says nothing more: it has left
            handler.model_server.left.set()

    return answer


def picture(data: bytes) -> Callable:
    def answer(handler: BaseHTTPRequestHandler, _: dict) -> None:
        encoded = base64.b64encode(data).decode()
        body = json.dumps({"created": 1, "data": [{"b64_json": encoded}]}).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
