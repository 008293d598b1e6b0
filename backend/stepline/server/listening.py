"""A werkzeug server in a thread of its own, which stops without leaving a thread or a port.

No time-out is set on its sockets: with one, a large frame to a slow reader never completes (flask-sock calls `send`,
which then writes a part). Connections that are still open at the end are shut down instead, which wakes their threads.
"""

from __future__ import annotations

import errno
import io
import logging
import selectors
import socket
import sys
import threading
import time
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from stepline.errors import AddressInUse, SteplineError, UsageError

log = logging.getLogger(__name__)

HAND_OVER = "stepline.hand_over"
"""Key in the WSGI environment: call it when a WebSocket has taken the connection over."""
IS_WANTED = "stepline.is_wanted"
"""Likewise: whether the other side still holds the connection open, any number of times and in any thread."""


class _Handler(WSGIRequestHandler):
    def make_environ(self) -> Any:
        environ = super().make_environ()
        environ[HAND_OVER] = self._hand_over
        environ[IS_WANTED] = self._is_wanted
        return environ

    def _is_wanted(self) -> bool:
        # A page that turns to another window closes the connection of the one that it no longer draws.
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self.connection, selectors.EVENT_READ)
                return not selector.select(0) or bool(self.connection.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _hand_over(self) -> None:
        # flask-sock ends with an HTTP answer, which would go into the WebSocket's stream, and werkzeug reads what is
        # left in the connection, which is the WebSocket's.
        self.wfile = io.BytesIO()
        self.rfile = io.BytesIO()

    def version_string(self) -> str:
        return "Stepline"

    def log(self, type: str, message: str, *args: Any) -> None:
        log.debug(message, *args)


class _Listener(ThreadedWSGIServer):
    daemon_threads = True

    def __init__(self, bound: socket.socket, app: Any) -> None:
        address = bound.getsockname()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._open_guard = threading.Lock()
        super().__init__(address[0], address[1], app, _Handler, fd=bound.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name="stepline-request", daemon=True
        )
        with self._open_guard:
            self._open[request] = thread
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_guard:
                del self._open[request]

    def end_connections(self, deadline: float) -> bool:
        """Shut down what is still open and wait for its threads, until `deadline` (monotonic); whether all ended."""
        with self._open_guard:
            left = dict(self._open)
        for connection, thread in left.items():
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("A connection was closed already")
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in left.values())

    def log(self, type: str, message: str, *args: Any) -> None:
        log.debug(message, *args)


class Listening:
    """Answers requests to a WSGI application at `address` from `start` to `stop`."""

    def __init__(self, app: Any, host: str, port: int) -> None:
        """Takes the port at once. Raises AddressInUse, or UsageError for a host that is not this machine's."""
        with _bind(host, port) as bound:
            self._listener = _Listener(bound, app)
        self.port: int = self._listener.port
        shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
        self.address = f"http://[{shown}]:{self.port}" if ":" in shown else f"http://{shown}:{self.port}"
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.1,), name="stepline-server", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience_secs: float = 10.0) -> bool:
        """Take no more requests, end those that run, and give the port back. Safe to call twice.

        Whether all have ended: one that is computing is waited for, but not for ever.
        """
        if self._thread.is_alive():
            self._listener.shutdown()
            self._thread.join()
        self._listener.server_close()
        return self._listener.end_connections(time.monotonic() + patience_secs)


def _bind(host: str, port: int) -> socket.socket:
    # The system would take 99999 for 34463.
    if not 0 <= port <= 65_535:
        raise UsageError(f"There is no port {port}", action="Name one from 1 to 65535, or none to take a free one")
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UsageError(
            f"Stepline cannot listen on {host}", why=str(error), action="Name this machine's own address, or none"
        ) from error
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # Windows lets two programs share a port that has SO_REUSEADDR.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise _refusal(host, port, error) from error
    return bound


def _refusal(host: str, port: int, error: Exception) -> SteplineError:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return AddressInUse(
            f"Port {port} is in use",
            why="Another program listens there, perhaps another Stepline",
            action="Name another port, or none to take a free one",
        )
    if number in (errno.EACCES, errno.EPERM):
        return AddressInUse(
            f"Port {port} may not be taken",
            why="The system keeps it for privileged programs",
            action="Name a port above 1023, or none to take a free one",
        )
    return UsageError(
        f"Stepline cannot listen on {host}:{port}", why=str(error), action="Name this machine's own address, or none"
    )
