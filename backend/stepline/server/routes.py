"""The routes under /api, but for the socket. docs/server.md lists them; stepline.wire has the types they speak."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from functools import partial
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

from flask import Flask, Response, request

from stepline import __version__, environments, facts, history, kernels
from stepline.errors import Unavailable, UsageError
from stepline.history import NobodyWaits, Smoothing
from stepline.intake import taken
from stepline.recording.commands import commands_path
from stepline.server import asking, uploads
from stepline.server.asking import json_answer
from stepline.server.door import Door
from stepline.server.listening import IS_WANTED
from stepline.server.telling import MIMETYPE, lines_of
from stepline.watching import problem_of, watched_folders
from stepline.wire import (
    About,
    Command,
    CommandGiven,
    Focus,
    Kind,
    LogPage,
    Opening,
    TakeIn,
    Task,
    TaskEdit,
    TaskList,
)

LOG_ROWS = 200
MOST_LOG_ROWS = 5000
POINTS = 4000
MOST_POINTS = 12_000
"""What a chart draws, and as much on either side of it."""
MOST_SERIES = 200
NOBODY_READS = 499
"""The status of an answer that is not sent: the client has closed the connection."""


def register(app: Flask, door: Door) -> None:
    @app.get("/api/health")
    def health() -> Response:
        return json_answer({"stepline": __version__})

    @app.get("/api/about")
    def about() -> Response:
        home = door.home
        known: About = {
            "version": __version__,
            "home": str(home.path),
            "database": str(home.database),
            "database_moved": home.database_moved,
            "writer": door.is_writer,
            "notes": door.notes(),
            "watched": [{"path": str(folder), "problem": problem_of(folder)} for folder in watched_folders(door.store)],
            "kernels": "ready" if kernels.ready() else "failed" if kernels.failure() else "preparing",
        }
        return json_answer(known)

    @app.get("/api/beginning")
    def beginning() -> Response:
        return json_answer(environments.beginning())

    @app.get("/api/tasks")
    def tasks() -> Response:
        listed: TaskList = {"tasks": [facts.task(row) for row in door.store.tasks()]}
        return json_answer(listed)

    @app.get("/api/opening")
    def opening() -> Response:
        store = door.store
        settings = store.settings()
        listed = store.tasks()
        shown = facts.first_shown(listed, settings.get("task"))
        answer: Opening = {"settings": settings, "tasks": len(listed), "detail": None, "rows": []}
        if shown is not None:
            answer["detail"] = door.detail(shown)
            newest = store.records(shown, limit=LOG_ROWS, newest_first=True)
            answer["rows"] = [facts.log_row(entry) for entry in newest]
        return json_answer(answer)

    @app.get("/api/tasks/<task_id>")
    def detail(task_id: str) -> Response:
        return json_answer(door.detail(task_id))

    @app.patch("/api/tasks/<task_id>")
    def edit(task_id: str) -> Response:
        asked = asking.body(request, TaskEdit)
        given: dict[str, Any] = {key: asked[key] for key in ("tags", "notes") if key in asked}
        if "name" in asked:
            given["label"] = asked["name"].strip() or None
        if given:
            door.store.set_task(task_id, **given)
            door.live.nudge()
        changed: Task = facts.task(door.store.task(task_id))
        return json_answer(changed)

    @app.get("/api/tasks/<task_id>/frame")
    def frame(task_id: str) -> Response:
        try:
            found = history.frame(
                door.store,
                task_id,
                _names(),
                first=asking.whole_number(request, "first"),
                last=asking.whole_number(request, "last"),
                points=_points(),
                axis=request.args.get("axis", "sequence"),
                smoothing=_smoothing(),
                is_wanted=request.environ[IS_WANTED],
            )
        except NobodyWaits:
            return Response(status=NOBODY_READS)
        return Response(found, mimetype="application/octet-stream")

    @app.get("/api/tasks/<task_id>/system")
    def system(task_id: str) -> Response:
        found = history.sampled_frame(
            door.store,
            task_id,
            _names(),
            first=asking.number(request, "first"),
            last=asking.number(request, "last"),
            points=_points(),
        )
        return Response(found, mimetype="application/octet-stream")

    @app.get("/api/tasks/<task_id>/log")
    def log(task_id: str) -> Response:
        kinds = request.args.getlist("kind")
        for kind in kinds:
            if kind not in get_args(Kind):
                raise UsageError(f"There is no kind {kind!r}", action=f"Kinds are {', '.join(get_args(Kind))}")
        search = request.args.get("search") or None
        limit = asking.whole_number(request, "limit", LOG_ROWS)
        entries = door.store.records(
            task_id,
            asking.whole_number(request, "first", 0) or 0,
            asking.whole_number(request, "last"),
            kinds=kinds or None,
            search=search,
            limit=min(LOG_ROWS if limit is None else limit, MOST_LOG_ROWS),
            offset=asking.whole_number(request, "offset", 0) or 0,
            newest_first=asking.flag(request, "newest"),
        )
        page: LogPage = {
            "rows": [facts.log_row(entry) for entry in entries],
            "total": door.store.count_records(task_id, kinds or None, search),
        }
        return json_answer(page)

    @app.get("/api/tasks/<task_id>/export")
    def export(task_id: str) -> Response:
        from stepline import exporters

        form = exporters.of(request.args.get("format", "csv"))
        name = quote(f"{_file_name(door.store.task(task_id).name)}{form.suffix}")
        answer = Response(form.pieces(door.store, task_id), mimetype=form.media_type)
        answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        return answer

    @app.get("/api/tasks/<task_id>/runs/<run_id>/end")
    def run_end(task_id: str, run_id: str) -> Response:
        return json_answer(facts.run_end(door.store, task_id, run_id))

    @app.post("/api/tasks/<task_id>/runs/<run_id>/commands")
    def command(task_id: str, run_id: str) -> Response:
        asked = asking.body(request, Command)
        run = next((run for run in door.detail(task_id)["runs"] if run["id"] == run_id), None)
        if run is None:
            raise UsageError(f"The task has no run {run_id!r}", action="Name one of its runs")
        if asked["command"] not in run["controls"]:
            raise Unavailable(
                f"This run does not take `{asked['command']}` now",
                why="It has ended, runs elsewhere, or was started without it",
                action="Use what its `controls` list" if run["controls"] else "Stop it where it was started",
            )
        given = _give(commands_path(door.home.journals, run_id), asked)
        return json_answer(given, 202)

    @app.get("/api/settings")
    def settings() -> Response:
        return json_answer(door.store.settings())

    @app.put("/api/settings")
    def keep() -> Response:
        for name, value in asking.body(request, dict[str, Any]).items():
            door.store.set_setting(name, value)
        return json_answer(door.store.settings())

    @app.post("/api/take-in")
    def take_in() -> Response:
        asked = asking.body(request, TakeIn)
        work = partial(door.take_in, [Path(each) for each in asked.get("paths", [])], asked.get("growing", False))
        if asked.get("telling"):
            return Response(lines_of(work), mimetype=MIMETYPE)
        return json_answer(taken(work()))

    @app.post(uploads.PATH)
    def import_() -> Response:
        return uploads.taken_in(request, door)

    @app.post("/api/demo")
    def demo() -> Response:
        return json_answer(door.demo(), 202)

    @app.post("/api/focus")
    def focus() -> Response:
        asked = asking.body(request, Focus) if request.content_length else Focus(taken=None)
        door.focus(asked["taken"])
        return Response(status=204)


def _file_name(task: str) -> str:
    """A task's name as a file can bear it on every system."""
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "-", task).strip(" .-")[:80] or "task"


def _names() -> list[str]:
    names = request.args.getlist("series")
    if not 1 <= len(names) <= MOST_SERIES:
        raise UsageError(
            "The frame's series are not said", action=f"Give `series` once for each, at most {MOST_SERIES}"
        )
    return names


def _points() -> int:
    return min(asking.whole_number(request, "points", POINTS, least=1) or POINTS, MOST_POINTS)


def _smoothing() -> Smoothing:
    return Smoothing(ema=asking.whole_number(request, "ema", 0) or 0, ma=asking.whole_number(request, "ma", 0) or 0)


def _give(file: Path, asked: Command) -> CommandGiven:
    """Append the command to the run's own file with one write, as docs/journal.md says."""
    given: CommandGiven = {"id": secrets.token_hex(8)}
    line = json.dumps({"id": given["id"], "command": asked["command"], "time": time.time()}) + "\n"
    try:
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise Unavailable(
            f"The command could not be handed to the run through {file}",
            why=error.strerror or str(error),
            action="Allow writing there, or stop the run where it was started",
        ) from error
    return given
