"""The journal's format: one JSON object a line, a header first. Specified in docs/journal.md.

Encoding never refuses a value: what JSON cannot carry is written as `plain` says. Reading never fails on a line:
one that cannot be read is counted and passed over, so that one torn write does not hide the rest. Only a header can be
refused, because without it nobody knows whose lines they are. Standard library only.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from stepline.errors import JournalError, JournalNewer
from stepline.recording.plain import NON_FINITE, metric_value, plain
from stepline.recording.process import Process as Process

FORMAT = (1, 0)
"""Major and minor version. A reader refuses a later major and reads every minor."""

Kind = Literal["train_start", "step", "evaluation", "checkpoint", "train_end", "message"]
Phase = Literal["pending", "train", "evaluate", "save", "fast_forward"]
KINDS = frozenset(("train_start", "step", "evaluation", "checkpoint", "train_end", "message"))
PHASES = frozenset(("pending", "train", "evaluate", "save", "fast_forward"))

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LARGEST_STEP = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Header:
    """A journal's first line.

    `task_key`: what names the task, a key given by the user or the output folder's path. `launch`: the `stepline run`
    that started the process.
    """

    task_id: str
    task_name: str
    task_key: str | None
    run_id: str
    time: float
    process: Process
    total_steps: int | None
    settings: dict[str, Any]
    format: tuple[int, int] = FORMAT
    launch: str | None = None
    """Names the `stepline run` that started the process, which tells its end where it cannot tell it itself."""


@dataclass(slots=True)
class Record:
    """One record. `time` in Unix seconds; a non-finite metric is a float; `details` holds plain JSON."""

    kind: Kind
    time: float
    step: int | None = None
    epoch: float | None = None
    metrics: dict[str, float | str] = field(default_factory=dict)
    message: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Heartbeat:
    """The process lives, and this is where it stands."""

    time: float
    step: int | None
    phase: Phase


@dataclass(slots=True)
class Update:
    """Later knowledge about the run. None: as before; `settings` are added to those of the header."""

    total_steps: int | None = None
    settings: dict[str, Any] | None = None
    name: str | None = None


@dataclass(slots=True)
class Parsed:
    """`consumed`: bytes read, counted from the data's start; `damaged`: lines that were passed over."""

    entries: list[Record | Heartbeat | Update]
    consumed: int
    damaged: int


# One encoder for all lines: json.dumps makes a new one each time its options are not the defaults. A NaN makes it
# raise, which costs nothing while there is none; the line is then written by the slow way.
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), default=metric_value
).encode


def encode_header(header: Header) -> bytes:
    process = header.process
    launch = {} if header.launch is None else {"launch": header.launch}
    return encode_line(
        {
            "stepline": f"{header.format[0]}.{header.format[1]}",
            "task": {"id": header.task_id, "name": header.task_name, "key": header.task_key},
            "run": header.run_id,
            "time": header.time,
            "process": {
                "pid": process.pid,
                "started": process.started,
                "host": process.host,
                "boot": process.boot,
                "pid_namespace": process.pid_namespace,
            },
            **launch,
            "total_steps": header.total_steps,
            "settings": header.settings,
        }
    )


def encode_record(record: Record) -> bytes:
    fields: dict[str, Any] = {"kind": record.kind, "time": record.time}
    if record.step is not None:
        fields["step"] = record.step
    if record.epoch is not None:
        fields["epoch"] = record.epoch
    if record.metrics:
        fields["metrics"] = record.metrics
    if record.message is not None:
        fields["message"] = record.message
    if record.details:
        fields["details"] = record.details
    return encode_line(fields)


def encode_heartbeat(heartbeat: Heartbeat) -> bytes:
    return encode_line({"heartbeat": {"time": heartbeat.time, "step": heartbeat.step, "phase": heartbeat.phase}})


def encode_update(update: Update) -> bytes:
    fields = {"total_steps": update.total_steps, "settings": update.settings, "name": update.name}
    return encode_line({"update": {name: value for name, value in fields.items() if value is not None}})


def encode_line(fields: dict[str, Any]) -> bytes:
    """`fields` as one line with its newline, whatever they hold."""
    try:
        return (_encode(fields) + "\n").encode()
    except (ValueError, TypeError, RecursionError):
        # A NaN, a key that is no text, half a surrogate pair, a value inside itself.
        return (_encode(plain(fields)) + "\n").encode()


def parse_header(line: bytes) -> Header:
    """The header. Raises JournalNewer for a later major version, JournalError where `line` is no header."""
    fields = _object(line)
    if fields is None or not isinstance(fields.get("stepline"), str):
        raise _not_a_header("its first line is not a header")
    found = re.match(r"(\d{1,9})\.(\d{1,9})", fields["stepline"])
    if not found:
        raise _not_a_header(f"its version {fields['stepline'][:40]!r} is not of the form 1.0")
    version = (int(found[1]), int(found[2]))
    if version[0] > FORMAT[0]:
        raise JournalNewer(
            f"This journal has format {version[0]}.{version[1]}, written by a later Stepline",
            why=f"This one reads formats up to {FORMAT[0]}.x",
            action="Update Stepline, then take the journal in again",
        )
    task = fields.get("task")
    task = task if isinstance(task, dict) else {}
    task_id, run_id, time = task.get("id"), fields.get("run"), _finite(fields.get("time"))
    for name, value in (("task's id", task_id), ("run's id", run_id)):
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise _not_a_header(f"the {name} is missing or is not made of letters, digits, '.', '_' and '-'")
    if time is None:
        raise _not_a_header("it has no time")
    settings = fields.get("settings")
    return Header(
        task_id=cast(str, task_id),
        task_name=_text(task.get("name")) or cast(str, task_id),
        task_key=_text(task.get("key")),
        run_id=cast(str, run_id),
        time=time,
        process=_process(fields.get("process")),
        total_steps=_step(fields.get("total_steps")),
        settings=settings if isinstance(settings, dict) else {},
        format=version,
        launch=_text(fields.get("launch")),
    )


def parse_lines(data: bytes, *, ended: bool = False) -> Parsed:
    """The entries in `data`, which begins at a line's start and holds no header.

    Only whole lines are read; what stands after the last newline is left for the next call. With `ended`, when nobody
    will write on, an unended last line is read too if it is whole.
    """
    entries: list[Record | Heartbeat | Update] = []
    damaged = 0
    consumed = data.rfind(b"\n") + 1
    for line in data[:consumed].split(b"\n"):
        if not line or line.isspace():
            continue
        entry = _entry(line)
        if entry is None:
            damaged += 1
        else:
            entries.append(entry)
    if ended and consumed < len(data):
        entry = _entry(data[consumed:])
        if entry is not None:
            entries.append(entry)
            consumed = len(data)
    return Parsed(entries, consumed, damaged)


def _entry(line: bytes) -> Record | Heartbeat | Update | None:
    fields = _object(line)
    if fields is None:
        return None
    if "kind" in fields:
        return _record(fields)
    if isinstance(heartbeat := fields.get("heartbeat"), dict):
        time, phase = _finite(heartbeat.get("time")), heartbeat.get("phase")
        if time is None:
            return None
        return Heartbeat(time, _step(heartbeat.get("step")), phase if phase in PHASES else "train")
    if isinstance(update := fields.get("update"), dict):
        settings = update.get("settings")
        return Update(
            total_steps=_step(update.get("total_steps")),
            settings=settings if isinstance(settings, dict) else None,
            name=_text(update.get("name")),
        )
    return None


def _record(fields: dict[str, Any]) -> Record | None:
    kind, time, step = fields["kind"], fields.get("time"), fields.get("step")
    if kind.__class__ is not str or kind not in KINDS:
        return None
    if time.__class__ is not float or not math.isfinite(time):
        time = _finite(time)
        if time is None:
            return None
    if step is not None and (step.__class__ is not int or not -_LARGEST_STEP <= step <= _LARGEST_STEP):
        step = _step(step)
        if step is None:
            return None
    epoch, message, details = fields.get("epoch"), fields.get("message"), fields.get("details")
    metrics = fields.get("metrics")
    return Record(
        cast(Kind, kind),
        time,
        step,
        None if epoch is None else _finite(epoch),
        _metrics(metrics) if metrics.__class__ is dict else {},
        None if message is None else _text(message),
        details if details.__class__ is dict else {},
    )


def _metrics(metrics: dict[str, Any]) -> dict[str, float | str]:
    read: dict[str, float | str] = {}
    for name, value in metrics.items():
        if value.__class__ is float:
            read[name] = value
        elif value.__class__ is str:
            read[name] = NON_FINITE.get(value, value)
        elif isinstance(value, int):
            try:
                read[name] = float(value)
            except OverflowError:
                read[name] = math.inf if value > 0 else -math.inf
        elif value is not None:
            read[name] = json.dumps(value, ensure_ascii=False)
    return read


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(line.decode())
        if b"\\u" in line and re.search(rb"\\u[dD][89a-fA-F]", line):
            # Half a surrogate pair is JSON, but no text that a database or UTF-8 takes. A whole pair passes unchanged.
            fields = json.loads(json.dumps(fields, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _process(fields: object) -> Process:
    values: dict[str, Any] = fields if isinstance(fields, dict) else {}
    return Process(
        pid=_step(values.get("pid")) or 0,
        started=_finite(values.get("started")),
        host=_text(values.get("host")) or "",
        boot=_text(values.get("boot")),
        pid_namespace=_text(values.get("pid_namespace")),
    )


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _step(value: object) -> int | None:
    number = _finite(value)
    if number is None or not number.is_integer() or abs(number) > _LARGEST_STEP:
        return None
    return int(cast("int | float", value))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _not_a_header(why: str) -> JournalError:
    return JournalError(
        "This file is not a Stepline journal",
        why=f"{why[0].upper()}{why[1:]}",
        action="See docs/journal.md for the format",
    )
