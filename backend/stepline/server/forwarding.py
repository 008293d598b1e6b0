"""Hands a writing request to the process that writes the home, and its answer back, as they are."""

from __future__ import annotations

import http.client
from urllib.parse import quote, urlsplit

from flask import Request, Response

from stepline.errors import Unavailable
from stepline.writer import ANSWER_SECS, Address

_PIECE_BYTES = 1 << 16


def forward(request: Request, writer: Address) -> Response:
    """Raises Unavailable where nobody answers at the writer's address."""
    path = quote(request.path)
    query = request.query_string.decode("ascii", "replace")
    headers = {"Authorization": f"Bearer {writer.token}"}
    if request.content_type:
        headers["Content-Type"] = request.content_type
    place = urlsplit(writer.address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=ANSWER_SECS)
    try:
        # As a stream: what a page uploads is larger than memory should hold.
        headers["Content-Length"] = str(request.content_length or 0)
        connection.request(request.method, f"{path}?{query}" if query else path, request.stream, headers)
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unavailable(
            "The Stepline that writes this home does not answer",
            why=str(error) or type(error).__name__,
            action="Try again in a few seconds: this one takes over when that one has ended",
        ) from error
    # As it comes: an import tells how far it is, and one whose page went away is called off there too.
    response = Response(
        iter(lambda: answer.read1(_PIECE_BYTES), b""),
        answer.status,
        content_type=answer.getheader("Content-Type", "application/octet-stream"),
    )
    response.call_on_close(connection.close)
    return response
