"""The HTTP server: one thread a connection, on loopback; what it does with a request is the endpoint's business."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from endpoint.messages import Reply, Request


class Hangup(Exception):
    """Close the connection; `reply`, if any, is sent in part first."""

    def __init__(self, reply: Reply | None = None) -> None:
        super().__init__("the connection is closed")
        self.reply = reply


class Server(ThreadingHTTPServer):
    """A server that can be killed: its connections end with it."""

    daemon_threads = True
    allow_reuse_address = True
    # Nothing waits for a connection that a client keeps open.
    block_on_close = False

    def __init__(self, port: int, answer: Callable[[Request], Reply], context: ssl.SSLContext | None) -> None:
        self.answer, self.context = answer, context
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)
        # The default asks twice a second whether to stop.
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.context is not None:
            # The handshake comes with the first read, in the connection's own thread: no client holds up another.
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go as they like; what goes wrong in an answer is told as an answer."""

    def kill(self) -> None:
        """Stop listening and drop every connection; from any thread but the one that accepts."""
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """Turns HTTP into a Request, and a Reply into HTTP."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        try:
            self._send(self.server.answer(request))
        except Hangup as hangup:
            if hangup.reply is not None:
                self._send(hangup.reply, whole=False)
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = do_HEAD = _answer

    def _send(self, reply: Reply, *, whole: bool = True) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body if whole else reply.body[: len(reply.body) // 2])
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the endpoint keeps every request."""
