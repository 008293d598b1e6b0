"""The built page and its assets, and how a browser gets its cookie: `/?token=…` sets it and goes on to `/`.

The token then no longer stands in the address bar, in the history or in a bookmark.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from flask import Flask, Response, make_response, redirect, request, send_from_directory
from werkzeug.exceptions import NotFound

from stepline.errors import Refused, Unavailable
from stepline.server.security import Guard

BUILT = Path(__file__).parents[1] / "web_dist"


def register(app: Flask, guard: Guard, folder: Path) -> None:
    @app.get("/")
    def index() -> Response:
        if "token" in request.args:
            if not guard.is_token(request.args["token"]):
                raise Refused(
                    "The token in the address is not this Stepline's",
                    why="Each start makes a new one",
                    action="Open the address that Stepline printed last",
                )
            return _enter(guard)
        if not (folder / "index.html").is_file():
            raise Unavailable(
                "The page has not been built",
                why=f"There is no {folder / 'index.html'}",
                action="Run `make setup` in the checkout, or install Stepline from a wheel",
            )
        response = send_from_directory(folder, "index.html")
        response.headers["Cache-Control"] = "no-cache"
        return response

    @app.get("/<path:name>")
    def file(name: str) -> Response:
        # An unknown route under /api is a program's mistake, not a missing picture.
        if name.startswith("api/") or name == "index.html":
            raise NotFound
        response = send_from_directory(folder, name)
        # Vite names what lies in assets/ by its content.
        fixed = name.startswith("assets/")
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable" if fixed else "no-cache"
        return response


def _enter(guard: Guard) -> Response:
    if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        # The link stood in another page (a notebook's output): a strict cookie does not travel along a redirect that
        # began there, but it does when a page of our own goes on.
        response = make_response('<!doctype html><meta http-equiv="refresh" content="0;url=./"><title>Stepline</title>')
    else:
        response = make_response(redirect("./", 303))
    response.headers["Cache-Control"] = "no-store"
    guard.set_cookie(request, response)
    return response


def refusal(error: Refused) -> Response:
    """For a person in a browser: what to do, in both languages."""
    chinese = "请使用 Stepline 启动时打印的地址(含令牌)打开本页。"
    body = (
        '<!doctype html><meta charset="utf-8"><title>Stepline</title>'
        '<body style="font:16px/1.5 system-ui,sans-serif;max-width:38em;margin:15vh auto;padding:0 1em">'
        f"<p>{escape(str(error))}</p><p lang=zh>{chinese}</p>"
    )
    return Response(body, error.http_status, mimetype="text/html")
