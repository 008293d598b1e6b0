"""Words of a request, read and checked; a UsageError says which one is wrong. And an answer in JSON."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import msgspec
from flask import Request, Response

from stepline.errors import UsageError

Shape = TypeVar("Shape")


def json_answer(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, mimetype="application/json")


def whole_number(request: Request, name: str, otherwise: int | None = None, *, least: int = 0) -> int | None:
    text = request.args.get(name)
    if text is None or text == "":
        return otherwise
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    # 2^53 is where sequences stop being exact in the page.
    if not least <= number <= 2**53:
        raise UsageError(f"`{name}` cannot be {text!r}", action=f"Give a whole number of {least} or more")
    return number


def number(request: Request, name: str) -> float | None:
    text = request.args.get(name)
    if text is None or text == "":
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise UsageError(f"`{name}` cannot be {text!r}", action="Give a number")
    return found


def flag(request: Request, name: str) -> bool:
    return request.args.get(name, "") in ("1", "true", "yes")


def body(request: Request, shape: type[Shape]) -> Shape:
    """The request's JSON body as a wire type."""
    return decode(request.get_data(), shape)


def decode(data: bytes | str, shape: type[Shape]) -> Shape:
    """JSON as a wire type. Raises UsageError."""
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        name: Any = getattr(shape, "__name__", str(shape))
        raise UsageError(
            "What was sent cannot be read", why=str(error), action=f"Send JSON in the shape of `{name}`"
        ) from error
