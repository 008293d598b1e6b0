"""A page that was left open comes back after a restart; nobody else gets in by that way."""

from __future__ import annotations

import secrets
import stat
from collections.abc import Iterator

import pytest

from stepline.app import App
from stepline.home import Home
from stepline.server.returning import proof
from tests.front_door import ask


@pytest.fixture
def app(home: Home) -> Iterator[App]:
    running = App(home)
    running.start()
    yield running
    running.stop()


def port_of(app: App) -> int:
    return int(app.address.rsplit(":", 1)[1])


def test_a_page_that_has_the_key_gets_the_new_cookie(home: Home, app: App):
    key = ask(port_of(app), "/api/return-key", token=app.token).json
    app.stop()
    again = App(home)
    again.start()
    try:
        port = port_of(again)
        assert port == key["port"] == port_of(app), "the port of the last time is free"
        assert again.token != app.token
        nonce = secrets.token_hex(16)
        told = ask(port, "/api/return", method="POST", body={"nonce": nonce}).json
        assert told["proof"] == proof(key["key"], "server", port, nonce)
        given = {"nonce": told["nonce"], "proof": proof(key["key"], "page", port, told["nonce"])}
        answer = ask(port, "/api/return/proof", method="POST", body=given)
        assert answer.status == 204
        assert f"stepline_{port}={again.token}" in answer.headers["Set-Cookie"]
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        # A nonce is good once.
        assert ask(port, "/api/return/proof", method="POST", body=given).status == 403
    finally:
        again.stop()


def test_without_the_key_nobody_comes_in(app: App):
    port = port_of(app)
    assert ask(port, "/api/return-key").status == 403
    told = ask(port, "/api/return", method="POST", body={"nonce": "00"}).json
    # What the server proved is no proof of a page, nor is another key's or port's, or one without our nonce.
    key = ask(port, "/api/return-key", token=app.token).json["key"]
    for nonce, wrong in (
        (told["nonce"], told["proof"]),
        (told["nonce"], proof(secrets.token_hex(32), "page", port, told["nonce"])),
        (told["nonce"], proof(key, "page", port + 1, told["nonce"])),
        ("00", proof(key, "page", port, "00")),
    ):
        answer = ask(port, "/api/return/proof", method="POST", body={"nonce": nonce, "proof": wrong})
        assert (answer.status, answer.headers["Set-Cookie"]) == (403, None)
    foreign = {"Origin": "http://evil.example", "Content-Type": "application/json"}
    assert ask(port, "/api/return", method="POST", body={"nonce": "00"}, headers=foreign).status == 403


def test_the_key_is_its_users_alone_and_the_kept_port_stays_the_first_ones(home: Home, app: App):
    file = home.folder / "return.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    beside = App(home)
    beside.start()
    try:
        assert port_of(beside) != port_of(app)
        assert file.read_text() == before
    finally:
        beside.stop()
