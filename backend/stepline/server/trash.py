"""The routes of the trash: what lies there, putting tasks there, having them back, removing them for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Flask, Response, request

from stepline.server import asking
from stepline.server.door import Door
from stepline.wire import ChosenTasks


def register(app: Flask, door: Door) -> None:
    @app.get("/api/trash")
    def trash() -> Response:
        return _content()

    @app.post("/api/trash")
    def put() -> Response:
        return _done(door.put_in_trash)

    @app.post("/api/trash/restore")
    def restore() -> Response:
        return _done(door.restore)

    @app.post("/api/trash/remove")
    def remove() -> Response:
        return _done(door.remove)

    def _done(act: Callable[[Sequence[str]], None]) -> Response:
        act(asking.body(request, ChosenTasks)["tasks"])
        door.live.nudge()
        return _content()

    def _content() -> Response:
        return asking.json_answer(door.trash())
