"""A proxy before a real MLflow server that is slow, holds every request, refuses, babbles, or is not there at all."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Mode = Literal["pass", "refuse", "babble"]


class Proxy(ThreadingHTTPServer):
    """Passes requests on to the server at `target` after `delay` seconds, while `open` is set; counts the answered."""

    daemon_threads = True

    def __init__(self, target: str, port: int = 0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.target = urlsplit(target)
        self.delay, self.answered = 0.0, 0
        self.mode: Mode = "pass"
        self.open = threading.Event()
        self.open.set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.server.delay)
        self.server.open.wait()
        if self.server.mode == "refuse":
            self.send_error(503)
            return
        if self.server.mode == "babble":
            self.wfile.write(b"\x00\xffbla bla bla\r\n" * 3)
            self.close_connection = True
            return
        connection = http.client.HTTPConnection(self.server.target.hostname, self.server.target.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()
        self.server.answered += 1

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

    def log_message(self, *what: object) -> None:
        pass


@contextmanager
def proxy(target: str, port: int = 0) -> Iterator[Proxy]:
    """A proxy that serves, until the block ends; whoever it holds then is let go."""
    with Proxy(target, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.mode, server.delay = "refuse", 0.0
            server.open.set()
            server.shutdown()
            thread.join()
