"""The one shape of every error, whatever went wrong: `{"error": {code, what, why, action, lost}}` with its status.

Programs compare `code`; the sentences are for people. A bug answers 500 without its traceback, which goes to the log.
"""

from __future__ import annotations

import logging

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from stepline.errors import SteplineError
from stepline.facts import error_body
from stepline.wire import ErrorAnswer, ErrorBody

log = logging.getLogger(__name__)


def answer(body: ErrorBody, status: int) -> Response:
    shape: ErrorAnswer = {"error": body}
    response = jsonify(shape)
    response.status_code = status
    return response


def register(app: Flask) -> None:
    """Give `app` the error shape for our own errors, for HTTP's and for bugs."""

    @app.errorhandler(SteplineError)
    def ours(error: SteplineError) -> Response:
        return answer(error_body(error), error.http_status)

    @app.errorhandler(HTTPException)
    def of_http(error: HTTPException) -> Response:
        status = error.code or 500
        if status < 400 and error.response is not None:
            return Response(error.get_body(), status, error.get_headers())
        name = error.name.lower().replace(" ", "_").replace("-", "_")
        what = {
            404: f"There is nothing at {request.path}",
            405: f"{request.path} does not answer to {request.method}",
            413: "What was sent is too large",
        }
        body = ErrorBody(
            code=name, what=what.get(status, error.description or error.name), why="", action="", lost=None
        )
        response = answer(body, status)
        for key, value in error.get_headers():
            if key.lower() in ("allow", "retry-after"):
                response.headers[key] = value
        return response

    @app.errorhandler(Exception)
    def bug(error: Exception) -> Response:
        log.error("A request could not be answered", exc_info=error)
        return answer(of_bug(error), 500)


def of_bug(error: Exception) -> ErrorBody:
    return ErrorBody(
        code="internal",
        what="Stepline could not answer this",
        why=f"A fault in Stepline itself ({type(error).__name__})",
        action="Try again; if it stays, report it with the output of `stepline doctor`",
        lost=None,
    )
