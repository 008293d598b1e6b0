"""Who may ask: every route and the socket, with every wrong token, host and page."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import websocket

from stepline.home import Home
from tests.front_door import Looking, Serving, ask, header, served, wait_for

ROUTES = [
    ("GET", "/"),
    ("GET", "/assets/app-1a2b.js"),
    ("GET", "/api/about"),
    ("GET", "/api/tasks"),
    ("GET", "/api/tasks/t1"),
    ("GET", "/api/tasks/t1/frame?series=loss"),
    ("GET", "/api/tasks/t1/log"),
    ("PATCH", "/api/tasks/t1"),
    ("POST", "/api/tasks/t1/runs/r1/commands"),
    ("GET", "/api/settings"),
    ("PUT", "/api/settings"),
    ("POST", "/api/take-in"),
    ("POST", "/api/focus"),
    ("GET", "/api/live"),
    ("GET", "/api/nowhere"),
    ("GET", "/nowhere"),
    ("OPTIONS", "/api/tasks"),
]


@pytest.fixture(scope="module")
def serving(tmp_path_factory) -> Iterator[Serving]:
    with served(Home.open(tmp_path_factory.mktemp("security"))) as serving:
        serving.door.store.begin_run(header())
        yield serving


@contextmanager
def forwarded(to: int) -> Iterator[int]:
    """A TCP forwarder, as `ssh -L` is one: another port, and the browser speaks of that one."""
    listening = socket.create_server(("127.0.0.1", 0))
    open_ends: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def accept() -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", to))
            open_ends.extend((near, far))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.close()
        for end in open_ends:
            end.close()


def refused(answer) -> bool:
    return answer.status == 403 and answer.json["error"]["code"] == "refused"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nothing_is_answered_without_the_token(serving, method, path):
    assert refused(serving.ask(path, method=method, token=None))
    assert refused(serving.ask(path, method=method, token="wrong"))
    assert refused(serving.ask(path, method=method, token="", headers={"Cookie": f"stepline_{serving.port}=wrong"}))


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("GET", "/api/health"), ("GET", "/?token=TOKEN")])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "stepline.example"},
        {"Host": "stepline.example:PORT"},
        {"Host": "127.0.0.1.example:PORT"},
        {"Host": "localhost.example"},
        {"Host": "192.168.1.7:PORT"},
        {"Host": "x@127.0.0.1:PORT"},
        {"Host": "127.0.0.1:PORT#stepline"},
        {"Host": "127.0.0.1:port"},
        {"Host": "[::1"},
        {"Origin": "http://stepline.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:PORT"},
        {"Origin": "https://127.0.0.1:PORT"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
    ids=lambda headers: " ".join(f"{key}:{value}" for key, value in headers.items()),
)
def test_neither_a_foreign_host_nor_a_foreign_page_is_answered_even_with_the_token(serving, method, path, headers):
    filled = {key: value.replace("PORT", str(serving.port)) for key, value in headers.items()}
    path = path.replace("TOKEN", serving.token)
    assert refused(serving.ask(path, method=method, host=filled.pop("Host", None), headers=filled))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
@pytest.mark.parametrize("port", ["", ":80", ":9", ":65535"])
def test_this_machines_own_names_are_answered_with_any_port(serving, name, port):
    host = f"{name}{port}"
    assert serving.ask("/api/tasks", host=host).status == 200
    assert serving.ask("/api/tasks", host=host, headers={"Origin": f"http://{host}"}).status == 200


def test_health_needs_no_token(serving):
    answer = serving.ask("/api/health", token=None)
    assert answer.status == 200
    assert set(answer.json) == {"stepline"}


def test_the_address_with_the_token_becomes_a_strict_cookie_named_by_the_port(serving):
    answer = serving.ask(f"/?token={serving.token}", token=None)
    assert answer.status == 303
    assert answer.headers["Location"] == "./"
    cookie = answer.headers["Set-Cookie"]
    name, _, rest = cookie.partition("=")
    assert name == f"stepline_{serving.port}"
    assert "HttpOnly" in rest
    assert "SameSite=Strict" in rest
    cookies = {"Cookie": cookie.partition(";")[0]}
    assert serving.ask("/", token=None, headers=cookies).status == 200
    assert serving.ask("/api/tasks", token=None, headers=cookies).status == 200
    other_port = {"Cookie": cookies["Cookie"].replace(str(serving.port), "1")}
    assert refused(serving.ask("/api/tasks", token=None, headers=other_port))
    assert refused(serving.ask("/?token=wrong", token=None))


def test_a_link_in_another_page_opens_it_too(serving):
    """A strict cookie does not go along a redirect that began in another page."""
    from_notebook = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    answer = serving.ask(f"/?token={serving.token}", token=None, headers=from_notebook)
    assert answer.status == 200
    assert b'http-equiv="refresh"' in answer.body
    assert "Set-Cookie" in answer.headers


def test_a_person_without_the_token_is_told_what_to_do(serving):
    answer = serving.ask("/", token=None, headers={"Accept": "text/html,*/*"})
    assert answer.status == 403
    assert "令牌" in answer.body.decode()


def test_every_answer_says_what_a_browser_may_do_with_it(serving):
    for path in ("/", "/assets/app-1a2b.js", "/api/tasks", "/api/nowhere", "/nowhere"):
        headers = serving.ask(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
    assert serving.ask("/api/tasks").headers["Cache-Control"] == "no-store"
    assert serving.ask("/api/tasks", token=None).headers["Cache-Control"] == "no-store"
    assert "immutable" in serving.ask("/assets/app-1a2b.js").headers["Cache-Control"]
    assert serving.ask("/").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/../writer.json", "/assets/../../stepline.db", "/%2e%2e/stepline.db", "//etc/passwd"]
)
def test_only_the_page_is_served_from_disk(serving, path):
    assert serving.ask(path).status == 404


def test_a_forwarded_port_works(serving):
    with forwarded(serving.port) as port:
        entered = ask(port, f"/?token={serving.token}")
        cookie = entered.headers["Set-Cookie"].partition(";")[0]
        assert cookie.startswith(f"stepline_{port}=")
        origin = f"http://127.0.0.1:{port}"
        headers = {"Cookie": cookie, "Origin": origin}
        assert ask(port, "/api/tasks", headers=headers).json["tasks"][0]["id"] == "t1"
        looking = Looking(port, "", header=[], cookie=cookie, origin=origin, suppress_origin=False)
        assert looking.until("tasks")["tasks"][0]["id"] == "t1"
        looking.close()
        with pytest.raises(websocket.WebSocketBadStatusException):
            Looking(
                port, "", header=[], cookie=cookie, origin=f"http://127.0.0.1:{serving.port}", suppress_origin=False
            )


@pytest.mark.parametrize(
    "options",
    [
        {"header": []},
        {"header": ["Authorization: Bearer wrong"]},
        {"origin": "http://stepline.example", "suppress_origin": False},
        {"host": "stepline.example"},
    ],
)
def test_the_socket_is_not_opened_for_strangers(serving, options):
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        serving.look(**options)
    wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name == "stepline-teller"])


def test_tokens_are_long_and_never_the_same(home, tmp_path):
    from stepline.server.security import Guard

    tokens = {Guard().token for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 40


def test_asked_to_listen_everywhere_it_answers_to_addresses_but_not_to_names(home):
    from flask import Flask, request

    from stepline.errors import Refused
    from stepline.server.security import Guard

    app, guard = Flask("t"), Guard("0.0.0.0")
    for host, answered in (("192.168.1.7:80", True), ("[fe80::1]:80", True), ("stepline.example", False)):
        with app.test_request_context(headers={"Host": host}):
            if answered:
                guard.check_place(request)
            else:
                with pytest.raises(Refused):
                    guard.check_place(request)
