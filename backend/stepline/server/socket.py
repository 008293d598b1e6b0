"""The live socket, /api/live: the client says what it looks at (Subscribe), the server what is new (stepline.live).

Two threads a client: flask-sock's handler hears, a thread of ours tells. What one must know of flask-sock 0.7 and
simple-websocket 1.1 stands at the lines that it cost.
"""

from __future__ import annotations

import contextlib
import logging
import socket as sockets
import threading
from typing import Any

import msgspec
from flask import Flask, request
from flask_sock import Sock
from simple_websocket import ConnectionClosed
from wsproto.utilities import LocalProtocolError

from stepline.errors import SteplineError
from stepline.live import Client
from stepline.server import asking
from stepline.server.door import Door
from stepline.server.listening import HAND_OVER
from stepline.wire import Subscribe

log = logging.getLogger(__name__)

PING_SECS = 25
MOST_BYTES = 1 << 20
GOING_AWAY = 1001
CLOSE_SECS = 0.5
PATH = "/api/live"


class _Wire:
    """The library's socket, whose `send` sends everything, one thread at a time, and which can be ended by any thread.

    The library's reader answers pings while our writer sends a frame, both by `send`, which may stop half way.
    """

    def __init__(self, raw: sockets.socket) -> None:
        self._raw = raw
        self._lock = threading.RLock()

    def send(self, data: bytes) -> int:
        with self._lock:
            self._raw.sendall(data)
        return len(data)

    def end(self, ws: Any) -> None:
        """Say goodbye where the other side listens, then wake whoever waits for it."""
        idle = self._lock.acquire(timeout=CLOSE_SECS)
        try:
            if idle:
                # Only now, and so that the goodbye cannot wait either.
                self._raw.settimeout(CLOSE_SECS)
                ws.close(GOING_AWAY)
        except (ConnectionClosed, LocalProtocolError, OSError):
            log.debug("The other side was closed already")
        finally:
            if idle:
                self._lock.release()
        # `close` wakes neither the library's reader nor a handler in `receive`: without this, two threads stay for as
        # long as the other side keeps its socket open. Where our writer waits for a reader that does not read, it too.
        with contextlib.suppress(OSError):
            self._raw.shutdown(sockets.SHUT_RD if idle else sockets.SHUT_RDWR)
        ws.event.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class Clients:
    """The open sockets, so that all can be closed."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._open: set[Any] = set()
        self._lock = threading.Lock()
        self._closed = False

    def serve(self, ws: Any) -> None:
        """Answer one client until it, or the server, goes."""
        ws.sock = wire = _Wire(ws.sock)
        with self._lock:
            if self._closed:
                return wire.end(ws)
            self._open.add(ws)
        client = self._door.live.join()
        teller = threading.Thread(target=_tell, args=(ws, client), name="stepline-teller", daemon=True)
        teller.start()
        try:
            while True:
                try:
                    client.subscribe(asking.decode(ws.receive(), Subscribe))
                except SteplineError as error:
                    client.complain(error)
        except ConnectionClosed:
            log.debug("A client went")
        finally:
            self._door.live.leave(client)
            wire.end(ws)
            teller.join()
            with self._lock:
                self._open.discard(ws)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            left = list(self._open)
        for ws in left:
            ws.sock.end(ws)


def _tell(ws: Any, client: Client) -> None:
    try:
        for message in client.messages():
            ws.send(message if isinstance(message, bytes) else msgspec.json.encode(message).decode())
    except (ConnectionClosed, LocalProtocolError, OSError):
        log.debug("A client went while it was told something")
    except Exception:
        # A client that hears nothing more must not look connected: closed, it comes again.
        log.exception("A client could not be told what is new")
    finally:
        ws.sock.end(ws)


def register(app: Flask, door: Door) -> Clients:
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": PING_SECS, "max_message_size": MOST_BYTES}
    clients = Clients(door)

    @app.before_request
    def without_compression() -> None:
        # Always accepted when asked for; a frame of 64 KiB then takes 3.9 ms instead of 0.9.
        if request.path == PATH:
            request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)

    @Sock(app).route(PATH)  # type: ignore[untyped-decorator]
    def live(ws: Any) -> None:
        request.environ[HAND_OVER]()
        clients.serve(ws)

    return clients
