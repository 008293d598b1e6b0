"""A Stepline made for a test: a store in a folder, its live part and its server, and clients that speak to them."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websocket

from stepline import facts
from stepline.facts.findings import Findings
from stepline.history import Decoded, decode
from stepline.home import Home
from stepline.importers import ImportResult
from stepline.intake import Progress, as_wire
from stepline.live import Live, Source
from stepline.recording.journal import Header, Process, Record
from stepline.server import Server
from stepline.store import Store
from stepline.wire import DemoBegun, Imported, TakenIn, TaskDetail, Trash
from stepline.writer import Address

PATIENCE_SECS = 20.0


def wait_for(condition: Callable[[], Any], secs: float = PATIENCE_SECS) -> Any:
    """The condition's first true value; fails when there was none for `secs`."""
    ends = time.monotonic() + secs
    while time.monotonic() < ends:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("what was waited for did not come")


def header(task: str = "t1", run: str = "r1", **changed: Any) -> Header:
    fields: dict[str, Any] = {
        "task_id": task,
        "task_name": f"/out/{task}",
        "task_key": f"/out/{task}",
        "run_id": run,
        "time": 1_700_000_000.0,
        "process": Process.current(),
        "total_steps": 40,
        "settings": {},
        "format": (1, 0),
    }
    return Header(**{**fields, **changed})


def steps(numbers: Iterable[int], loss: Callable[[int], float] = lambda step: 1 / step) -> list[Record]:
    return [Record("step", 1_700_000_000.0 + step, step, step / 10, {"loss": loss(step)}) for step in numbers]


def write(store: Store, run_id: str, entries: Sequence[Any]) -> None:
    store.append(run_id, entries, position=(store.position(run_id) or 0) + len(entries))


@dataclass
class FrontDoor:
    """What the server asks of a Stepline, without ingest. Not a writer once `writer` is another's address."""

    home: Home
    store: Store
    writer: Address | None = None
    is_writer: bool = True
    focused: int = 0
    taken: list[Path] = field(default_factory=list)
    interval_secs: float = 0.05

    def __post_init__(self) -> None:
        self.findings = Findings(self.store)
        self.live = Live(
            Source(lambda: self.store, self.detail, lambda: self.is_writer), interval_secs=self.interval_secs
        )

    def detail(self, task_id: str) -> TaskDetail:
        return facts.detail(self.store, task_id, findings=self.findings.of(task_id), journals=self.home.journals)

    def take_in(
        self,
        paths: Sequence[Path],
        growing: bool = False,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Imported]:
        self.taken += paths
        return [as_wire(ImportResult(path, "imported", task_id=path.stem)) for path in paths]

    def take_in_uploaded(self, folder: Path, progress: Progress, cancelled: Callable[[], bool]) -> list[Imported]:
        return self.take_in([path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()])

    def trash(self) -> Trash:
        return {"tasks": [], "kept_days": 30}

    def put_in_trash(self, task_ids: Sequence[str]) -> None:
        self.store.put_in_trash(task_ids, time.time())

    def restore(self, task_ids: Sequence[str]) -> None:
        self.store.restore(task_ids)

    def remove(self, task_ids: Sequence[str]) -> None:
        self.store.remove(task_ids, time.time())

    def demo(self) -> DemoBegun:
        return {"kind": "recorded"}

    def notes(self) -> list[str]:
        return ["one line was left out"]

    def focus(self, taken: TakenIn | None) -> None:
        self.focused += 1

    def writer_address(self) -> Address | None:
        return self.writer


def multipart(files: dict[str, bytes], modified: Sequence[float] = ()) -> tuple[bytes, dict[str, str]]:
    """What a page sends to have these files imported: body and headers."""
    line = b"--page-made-this"
    parts = [
        line + b'\r\nContent-Disposition: form-data; name="file"; filename="' + name.encode() + b'"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n"
        for name, data in files.items()
    ]
    parts += [
        line + b'\r\nContent-Disposition: form-data; name="modified"\r\n\r\n' + str(each).encode() + b"\r\n"
        for each in modified
    ]
    return b"".join(parts) + line + b"--\r\n", {"Content-Type": "multipart/form-data; boundary=page-made-this"}


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    port: int,
    path: str,
    *,
    token: str | None = None,
    method: str = "GET",
    body: Any = None,
    host: str | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request to 127.0.0.1:port, with just these headers."""
    sent = {"Host": host or f"127.0.0.1:{port}", **(headers or {})}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECS)
    try:
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Looking:
    """A client of the live socket."""

    def __init__(self, port: int, token: str, **options: Any) -> None:
        options.setdefault("suppress_origin", True)
        options.setdefault("header", [f"Authorization: Bearer {token}"])
        self.ws = websocket.create_connection(f"ws://127.0.0.1:{port}/api/live", timeout=PATIENCE_SECS, **options)

    def subscribe(self, task: str | None, cursor: int = 0, *series: str, ema: int = 0, ma: int = 0) -> None:
        asked = {"type": "subscribe", "task": task, "cursor": cursor, "series": list(series), "ema": ema, "ma": ma}
        self.ws.send(json.dumps(asked))

    def next(self) -> Any:
        kind, data = self.ws.recv_data()
        assert kind in (1, 2), f"closed: {data!r}"
        return json.loads(data) if kind == 1 else decode(data)

    def until(self, kind: str) -> Any:
        """The next message of that type; what comes before it is passed over."""
        while True:
            message = self.next()
            if not isinstance(message, Decoded) and message["type"] == kind:
                return message

    def facts(self) -> tuple[Any, Decoded]:
        """The next facts and the frame that follows them."""
        found = self.until("facts")
        frame = self.next()
        assert isinstance(frame, Decoded)
        return found, frame

    def close(self) -> None:
        self.ws.close()


@dataclass
class Serving:
    door: FrontDoor
    server: Server

    @property
    def port(self) -> int:
        return int(self.server.address.rpartition(":")[2])

    @property
    def token(self) -> str:
        return self.server.token

    def ask(self, path: str, **options: Any) -> Answer:
        options.setdefault("token", self.token)
        return ask(self.port, path, **options)

    def look(self, **options: Any) -> Looking:
        return Looking(self.port, self.token, **options)


@contextmanager
def served(
    home: Home, *, kind: type[FrontDoor] = FrontDoor, folder: Path | None = None, **options: Any
) -> Iterator[Serving]:
    """A server on a fresh store in `home`, with a page of one file; all ended afterwards."""
    if folder is None:
        folder = home.path / "page"
        (folder / "assets").mkdir(parents=True, exist_ok=True)
        (folder / "index.html").write_text("<!doctype html><title>Stepline</title>", encoding="utf-8")
        (folder / "assets" / "app-1a2b.js").write_text("export {}", encoding="utf-8")
    store = Store.open(home.database, writable=True)
    door = kind(home, store, **options)
    server = Server(door, folder=folder)
    door.live.start()
    server.start()
    try:
        yield Serving(door, server)
    finally:
        door.live.stop()
        server.stop()
        door.findings.stop()
        store.close()
