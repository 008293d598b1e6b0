"""What a command asks of a Stepline that runs: a small request with its token."""

from __future__ import annotations

import http.client
import json
import logging
from typing import Any
from urllib.parse import urlsplit

from stepline.app import App
from stepline.home import Home
from stepline.store import Store
from stepline.wire import Focus, TakenIn
from stepline.writer import read_address

log = logging.getLogger(__name__)

TIMEOUT_SECS = 5.0


def send(address: str, token: str, method: str, path: str, body: Any = None) -> bool:
    """Whether the request was answered well; False also where nobody is there."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_SECS)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def bring_forward(home: Home, taken: TakenIn | None = None) -> bool:
    """Bring the window that is open on this home before the others, and show `taken` there. False: there is none."""
    writer = read_address(home)
    return writer is not None and send(writer.address, writer.token, "POST", "/api/focus", Focus(taken=taken))


class Memory:
    """The settings, for the window: read beside the writer, written through the server, which knows who writes."""

    def __init__(self, app: App) -> None:
        self._app = app

    def setting(self, name: str, default: Any) -> Any:
        store: Store = self._app.store
        return store.setting(name, default)

    def set_setting(self, name: str, value: Any) -> None:
        if not send(self._app.address, self._app.token, "PUT", "/api/settings", {name: value}):
            log.warning("The setting %s could not be kept", name)
