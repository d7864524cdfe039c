"""Real servers on loopback, that sound is read from."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from websockets.sync.server import ServerConnection, serve

SECRET = "AIzaSyVerySecret"
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def http_server(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http{'s' if context else ''}://localhost:{server.server_port}/a/b?key={SECRET}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def websocket_server(answer: Callable[[ServerConnection], None], **more: Any) -> Iterator[str]:
    with serve(answer, "127.0.0.1", 0, **more) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://localhost:{server.socket.getsockname()[1]}/a?key={SECRET}"
        finally:
            server.shutdown()
            thread.join()


def body(data: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer
