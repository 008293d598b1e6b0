"""Who may ask: the token, the Host and the Origin of every request, and the headers of every answer.

A loopback port is open to every program of the machine and to every page in its browser, so each request shows
 - the token, in the cookie that the address with `?token=` once set, or as `Authorization: Bearer` from a program;
 - a Host that is loopback by name, with any port: `ssh -L` forwards under another one. A foreign name that resolves
   to this machine (DNS rebinding) is refused;
 - where the browser says whose page asks (Origin, Sec-Fetch-Site), that it is our own.

Cookies do not know ports, so the cookie is named by the port that the browser sees: two Steplines behind two forwarded
ports keep theirs apart.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flask import Request, Response

from stepline.errors import Refused

LOOPBACK_NAMES = frozenset(("127.0.0.1", "localhost", "::1"))
COOKIE_SECS = 365 * 24 * 3600

POLICY = "; ".join(
    (
        "default-src 'self'",
        # Charts' tooltips carry style attributes.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # The first address holds the token: no link may tell it on.
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass
class Guard:
    """Checks the requests to one server. `host` is what that server listens on."""

    host: str = "127.0.0.1"
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def check_place(self, request: Request) -> None:
        """Refuses a Host that is not ours and a page that is not ours. For every route, token or not."""
        asked = request.headers.get("Host", "")
        name = _host_name(asked)
        if name is None or not self._is_ours(name):
            raise Refused(
                f"Stepline does not answer for the host {asked!r}",
                why="It answers for this machine's own names alone, so that no foreign page can reach it",
                action="Open it at 127.0.0.1 or localhost; from another machine, forward a port with ssh -L",
            )
        origin = request.headers.get("Origin")
        # "same-site" is refused too: every port of 127.0.0.1 is the same site, whoever serves there.
        site = request.headers.get("Sec-Fetch-Site", "none")
        foreign = site not in ("none", "same-origin") and request.headers.get("Sec-Fetch-Mode") != "navigate"
        if foreign or (origin is not None and origin != f"http://{asked}"):
            raise Refused(
                "Stepline does not answer to another page",
                why=f"The request comes from {origin or 'a ' + site + ' page'}",
                action="Open Stepline's own address",
            )

    def check_token(self, request: Request) -> None:
        """Refuses a request that has neither the cookie nor the header with the token."""
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not (self.is_token(bearer) or self.is_token(request.cookies.get(cookie_name(request), ""))):
            raise Refused(
                "The token is missing or not this Stepline's",
                why="Each start makes a new one",
                action="Open the address that Stepline printed, with its token; `stepline open` does so",
            )

    def check_entry(self, request: Request) -> None:
        """Refuses an address whose token is another's."""
        if not self.is_token(request.args["token"]):
            raise Refused(
                "The token in the address is not this Stepline's",
                why="Each start makes a new one",
                action="Open the address that Stepline printed last",
            )

    def is_token(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    def set_cookie(self, request: Request, response: Response) -> None:
        response.set_cookie(
            cookie_name(request), self.token, max_age=COOKIE_SECS, path="/", httponly=True, samesite="Strict"
        )

    def _is_ours(self, name: str) -> bool:
        if name in LOOPBACK_NAMES or name == self.host:
            return True
        # Asked to listen on every address: an address cannot be rebound as a name can.
        return self.host in ("0.0.0.0", "::") and (_is_address(name) or name == socket.gethostname().lower())


def cookie_name(request: Request) -> str:
    port = urlsplit(f"//{request.headers.get('Host', '')}").port
    return f"stepline_{port or 80}"


def _host_name(host: str) -> str | None:
    """The name in a Host header, in lower case and without brackets; None where it is not one."""
    if not host or any(sign in host for sign in "/@?# \\"):
        return None
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
