"""How a page that was left open comes back by itself when Stepline starts again on the same home.

Each start makes a new token, so that one that leaked is worth nothing; but the page that had the old one should not
have to be opened anew. Page and home share a key, which never travels again: a page with the cookie asks for it once,
and after a restart both prove that they have it, the server first. Whoever takes Stepline's port while it is away
(another user of the machine) gets an old token and no key. Each proof holds the port that its maker means, so that
one who listens elsewhere cannot hand the proofs of one side to the other.

The key and the last port lie in the home in `return.json`, mode 0600; a later start on the home takes that port again
where it is free.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import socket
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from flask import Flask, Response, request

from stepline.errors import Refused
from stepline.home import Home, replace
from stepline.server import asking
from stepline.server.security import Guard
from stepline.wire import Challenge, ReturnKey, ReturnProof

CHALLENGE = "/api/return"
PROOF = "/api/return/proof"
WITHOUT_TOKEN = (CHALLENGE, PROOF)
MOST_OPEN = 64
"""Challenges that wait for their proof; of more, the oldest are forgotten."""


@dataclass(frozen=True)
class Kept:
    """What a home keeps of its server. `key` is hexadecimal."""

    key: str
    port: int


def port_before(home: Home) -> int:
    """The port of the last start on this home; 0 where there was none."""
    before = _kept(home)
    return before.port if before else 0


def key(home: Home, port: int) -> str:
    """The home's key, made where there is none. The port is kept for the next start, unless another Stepline on this
    home has the kept one just now."""
    before = _kept(home)
    if before is not None and (before.port == port or _is_taken(before.port)):
        return before.key
    found = Kept(before.key if before else secrets.token_hex(32), port)
    _keep(home, found)
    return found.key


def _is_taken(port: int) -> bool:
    with contextlib.closing(socket.socket()) as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def _kept(home: Home) -> Kept | None:
    try:
        fields = json.loads(_file(home).read_text("utf-8"))
        return Kept(str(fields["key"]), int(fields["port"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(home: Home, found: Kept) -> None:
    """Whole at every moment and readable by its user only."""
    draft = _file(home).with_name(f"return.json.{os.getpid()}.{threading.get_ident()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        json.dump(asdict(found), stream)
    replace(draft, _file(home))


def proof(key: str, side: str, port: int, nonce: str) -> str:
    """`side`, "server" or "page", proves that it has the key, for this nonce, at this port."""
    return hmac.new(bytes.fromhex(key), f"{side}|{port}|{nonce}".encode(), hashlib.sha256).hexdigest()


def register(app: Flask, guard: Guard, key: str, port: int) -> None:
    waiting: dict[str, None] = {}
    lock = threading.Lock()

    @app.get("/api/return-key")
    def return_key() -> Response:
        told: ReturnKey = {"key": key, "port": port}
        return asking.json_answer(told)

    @app.post(CHALLENGE)
    def challenge() -> Response:
        asked = asking.body(request, Challenge)
        nonce = secrets.token_hex(16)
        with lock:
            waiting[nonce] = None
            while len(waiting) > MOST_OPEN:
                del waiting[next(iter(waiting))]
        answer: ReturnProof = {"nonce": nonce, "proof": proof(key, "server", port, asked["nonce"])}
        return asking.json_answer(answer)

    @app.post(PROOF)
    def prove() -> Response:
        given = asking.body(request, ReturnProof)
        with lock:
            known = waiting.pop(given["nonce"], 0) is None
        right = hmac.compare_digest(given["proof"].encode(), proof(key, "page", port, given["nonce"]).encode())
        if not (known and right):
            raise Refused(
                "This page is not known here",
                why="It was not opened by a Stepline on this home",
                action="Open the address that Stepline printed, with its token",
            )
        response = Response(status=204)
        guard.set_cookie(request, response)
        return response


def _file(home: Home) -> Path:
    return home.folder / "return.json"
