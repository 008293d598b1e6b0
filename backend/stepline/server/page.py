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


REFUSED = """<!doctype html><meta charset="utf-8"><title>Stepline</title>
<meta name="viewport" content="width=device-width">
<style>
:root { color-scheme: light dark; --ink: #14171a; --quiet: #454c55; --ground: #fff; --line: #e2e5e8 }
@media (prefers-color-scheme: dark) { :root { --ink: #e9ebee; --quiet: #b6bcc5; --ground: #121417; --line: #282c32 } }
body { max-width: 40em; margin: 20vh auto 0; padding: 0 16px; background: var(--ground); color: var(--quiet);
  font: 13px/20px -apple-system, "Segoe UI", Inter, "Noto Sans", "PingFang SC", "Microsoft YaHei", sans-serif }
h1 { margin: 0 0 8px; font-size: 24px; line-height: 32px; letter-spacing: -.02em; color: var(--ink) }
section + section { margin-top: 24px; padding-top: 24px; border-top: 1px solid var(--line) }
p { margin: 0 0 4px }
</style>"""
CHINESE = (
    '<section lang="zh"><h1>这个地址打不开 Stepline</h1>'
    "<p>请使用 Stepline 启动时打印的完整地址（含令牌）；每次启动都会换一个。</p></section>"
)


def refusal(error: Refused) -> Response:
    """For a person in a browser: what to do, in both languages, theirs first."""
    told = "".join(f"<p>{escape(part)}.</p>" for part in (error.why, error.action))
    english = f'<section lang="en"><h1>{escape(error.what)}</h1>{told}</section>'
    languages = request.accept_languages.best_match(["en", "zh"], default="en")
    said = CHINESE + english if languages == "zh" else english + CHINESE
    return Response(REFUSED + said, error.http_status, mimetype="text/html")
