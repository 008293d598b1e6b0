"""The front door: HTTP routes, the live socket, security, one error shape. docs/server.md is its one page.

Every request goes the same way: whose page and which host (security), the token but for /api/health, then, where this
process reads beside the writer, what writes is handed on to the writer; then its route.
"""

from __future__ import annotations

import logging
from pathlib import Path

from flask import Flask, Response, request

from stepline.errors import AddressInUse, Refused, Unavailable
from stepline.server import answers, page, returning, routes, socket, trash, uploads
from stepline.server.door import Door
from stepline.server.forwarding import forward
from stepline.server.listening import Listening
from stepline.server.security import HEADERS, Guard

__all__ = ["Door", "Server"]

WITHOUT_TOKEN = ("/api/health", *returning.WITHOUT_TOKEN)
OWN = ("/api/focus", *returning.WITHOUT_TOKEN)
"""What writes nothing in the home, and is meant for this process."""
MOST_BODY_BYTES = 8 << 20


class Server:
    """Serves one Stepline at `address`; `token` is what a request must show."""

    def __init__(self, door: Door, *, host: str = "127.0.0.1", port: int = 0, folder: Path = page.BUILT) -> None:
        """Takes the port at once, answers from `start` on. Raises AddressInUse, UsageError."""
        self._guard = Guard(host)
        app = Flask("stepline.server", static_folder=None)
        # No debug mode and no reloader, ever: flask-sock breaks under it.
        app.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES
        app.logger.addHandler(logging.NullHandler())
        answers.register(app)
        self._check(app, door)
        self._clients = socket.register(app, door)
        routes.register(app, door)
        trash.register(app, door)
        self._listening = _listening(app, host, port, returning.port_before(door.home))
        returning.register(app, self._guard, returning.key(door.home, self._listening.port), self._listening.port)
        page.register(app, self._guard, folder)

    @property
    def address(self) -> str:
        return self._listening.address

    @property
    def token(self) -> str:
        return self._guard.token

    @property
    def url(self) -> str:
        """What a person opens."""
        return f"{self.address}/?token={self.token}"

    def start(self) -> None:
        self._listening.start()

    def stop(self) -> bool:
        """End every client and give the port back; whether no request is left running. Safe to call twice."""
        self._clients.close()
        return self._listening.stop()

    def _check(self, app: Flask, door: Door) -> None:
        guard = self._guard

        @app.before_request
        def check() -> Response | None:
            try:
                guard.check_place(request)
                if request.path == "/" and "token" in request.args:
                    guard.check_entry(request)
                elif request.path not in WITHOUT_TOKEN:
                    guard.check_token(request)
            except Refused as error:
                if request.path == "/" and "text/html" in request.headers.get("Accept", ""):
                    return page.refusal(error)
                raise
            if request.path == uploads.PATH:
                request.max_content_length = uploads.MOST_BYTES
            writes = request.method not in ("GET", "HEAD", "OPTIONS")
            if writes and not door.is_writer and request.path not in OWN:
                writer = door.writer_address()
                if writer is None:
                    raise Unavailable(
                        "No Stepline writes this home just now",
                        why="The one that did is starting or has just ended",
                        action="Try again in a few seconds",
                    )
                return forward(request, writer)
            return None

        @app.after_request
        def mark(response: Response) -> Response:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            if request.path.startswith("/api/"):
                response.headers["Cache-Control"] = "no-store"
            return response


def _listening(app: Flask, host: str, port: int, before: int) -> Listening:
    """On the port that was asked for; where none was, on that of the last time, if it is free."""
    if port == 0 and before:
        try:
            return Listening(app, host, before)
        except AddressInUse:
            pass
    return Listening(app, host, port)
