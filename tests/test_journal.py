"""The journal's format: what is written is read back, and what cannot be read costs no other line."""

from __future__ import annotations

import json
import math
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepline.errors import JournalError, JournalNewer
from stepline.recording.journal import (
    KINDS,
    PHASES,
    Header,
    Heartbeat,
    Process,
    Record,
    Update,
    encode_header,
    encode_heartbeat,
    encode_record,
    encode_update,
    parse_header,
    parse_lines,
)

ROOT = Path(__file__).parent.parent
PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
STEPS = st.integers(0, 2**53)
JSON = st.recursive(
    st.none() | st.booleans() | STEPS | FINITE | PLAIN_TEXT,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(PLAIN_TEXT, inside, max_size=3),
    max_leaves=8,
)
RECORDS = st.builds(
    Record,
    kind=st.sampled_from(sorted(KINDS)),
    time=FINITE,
    step=st.none() | STEPS,
    epoch=st.none() | FINITE,
    metrics=st.dictionaries(PLAIN_TEXT, st.floats() | PLAIN_TEXT, max_size=6),
    message=st.none() | PLAIN_TEXT,
    details=st.dictionaries(PLAIN_TEXT, JSON, max_size=3),
)
HEADERS = st.builds(
    Header,
    task_id=IDS,
    task_name=PLAIN_TEXT.filter(bool),
    task_key=st.none() | PLAIN_TEXT,
    run_id=IDS,
    time=FINITE,
    process=st.builds(
        Process,
        pid=st.integers(1, 2**22),
        started=st.none() | FINITE,
        host=PLAIN_TEXT,
        boot=st.none() | PLAIN_TEXT,
        pid_namespace=st.none() | PLAIN_TEXT,
    ),
    total_steps=st.none() | STEPS,
    settings=st.dictionaries(PLAIN_TEXT, JSON, max_size=3),
    launch=st.none() | IDS,
)


def same(one: object, other: object) -> bool:
    """Equal, with NaN equal to itself."""
    return repr(one) == repr(other)


def entries(data: bytes) -> list[Record | Heartbeat | Update]:
    parsed = parse_lines(data)
    assert parsed.damaged == 0
    assert parsed.consumed == len(data)
    return parsed.entries


@given(RECORDS)
def test_a_record_is_one_line_and_reads_back_as_itself(record: Record) -> None:
    line = encode_record(record)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    json.loads(line, parse_constant=pytest.fail)  # no NaN: other languages' readers refuse it
    (read,) = entries(line)
    spelled = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    record.metrics = {name: spelled.get(value, value) for name, value in record.metrics.items()}  # type: ignore[call-overload]
    assert same(read, record)


@given(HEADERS)
def test_a_header_reads_back_as_itself(header: Header) -> None:
    assert same(parse_header(encode_header(header)), header)


@given(FINITE, st.none() | STEPS, st.sampled_from(sorted(PHASES)))
def test_a_heartbeat_reads_back_as_itself(time: float, step: int | None, phase: str) -> None:
    heartbeat = Heartbeat(time, step, phase)  # type: ignore[arg-type]
    assert entries(encode_heartbeat(heartbeat)) == [heartbeat]


def test_an_update_reads_back_as_itself() -> None:
    update = Update(80, {"git.commit": "abc"}, "pilot 2")
    assert entries(encode_update(update) + encode_update(Update())) == [update, Update()]


@given(st.lists(RECORDS, max_size=5), st.integers(0, 10**6), st.booleans())
def test_a_journal_cut_anywhere_gives_its_whole_lines(records: list[Record], cut: int, ended: bool) -> None:
    data = b"".join(map(encode_record, records))
    cut = min(cut, len(data))
    parsed = parse_lines(data[:cut], ended=ended)
    assert parsed.damaged == 0
    assert len(parsed.entries) in (data[:cut].count(b"\n"), data[:cut].count(b"\n") + ended)
    rest = parse_lines(data[parsed.consumed :].removeprefix(b"\n"))
    whole = [entry for entry in parsed.entries + rest.entries if isinstance(entry, Record)]
    assert [encode_record(entry) for entry in whole] == [encode_record(entry) for entry in records]


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_can_stop_the_reader(noise: bytes, ended: bool) -> None:
    good = encode_record(Record("step", 1.0, 10, metrics={"loss": 2.0}))
    parsed = parse_lines(noise + b"\n" + good, ended=ended)
    assert parsed.entries[-1] == Record("step", 1.0, 10, metrics={"loss": 2.0})


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"null",
        b"\x00\x00\x00\x00",
        b"\xff\xfe",
        b"{}",
        b'{"kind": "step"}',
        b'{"kind": "stepp", "time": 1}',
        b'{"kind": ["step"], "time": 1}',
        b'{"kind": "step", "time": NaN}',
        b'{"kind": "step", "time": true}',
        b'{"kind": "step", "time": "1"}',
        b'{"kind": "step", "time": 1, "step": 1.5}',
        b'{"kind": "step", "time": 1, "step": 1e300}',
        b'{"kind": "step", "time": 1, "step": "NaN"}',
        b'{"heartbeat": {"step": 3}}',
        b'{"kind": "step", "time": 1' + b"[" * 100_000,
        b'{"kind": "step", "time": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_damaged_line_is_counted_and_passed_over(line: bytes) -> None:
    good = b'{"kind": "message", "time": 1, "message": "here"}\n'
    parsed = parse_lines(good + line + b"\n" + good)
    assert [type(entry) for entry in parsed.entries] == [Record, Record]
    assert parsed.damaged == 1


def test_what_other_writers_write_is_read() -> None:
    (record,) = entries(
        b'\n  \r\n{"kind": "step", "time": 1, "step": 10.0, "epoch": "NaN", "new": {"in": 1.7}, '
        b'"metrics": {"loss": NaN, "big": 1e999, "int": 3, "true": true, "none": null, "list": [1, 2], '
        b'"text": "Infinity", "huge": 1'
        + b"0" * 400
        + b', "half": "\\ud83d", "whole": "\\ud83d\\ude00"}, "message": 5, "details": []}\r\n'
    )
    assert isinstance(record, Record)
    assert same(
        record,
        Record(
            "step",
            1.0,
            10,
            None,
            {
                "loss": math.nan,
                "big": math.inf,
                "int": 3.0,
                "true": 1.0,
                "list": "[1, 2]",
                "text": math.inf,
                "huge": math.inf,
                "half": "?",
                "whole": "😀",
            },
        ),
    )


def test_an_unended_last_line_waits_while_the_run_lives() -> None:
    line = encode_record(Record("step", 1.0, 10))
    assert parse_lines(line + line[:-1]).consumed == len(line)
    assert parse_lines(line + line[:-1], ended=True).consumed == 2 * len(line) - 1
    torn = parse_lines(line + line[:-5], ended=True)
    assert (len(torn.entries), torn.consumed, torn.damaged) == (1, len(line), 0)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"hello",
        b'{"kind": "step", "time": 1}',
        b'{"stepline": 1, "task": {"id": "a"}, "run": "r", "time": 1}',
        b'{"stepline": "one", "task": {"id": "a"}, "run": "r", "time": 1}',
        b'{"stepline": "1.0", "run": "r", "time": 1}',
        b'{"stepline": "1.0", "task": {"id": "a"}, "time": 1}',
        b'{"stepline": "1.0", "task": {"id": "a"}, "run": "../../x", "time": 1}',
        b'{"stepline": "1.0", "task": {"id": "a"}, "run": "r"}',
    ],
)
def test_what_is_no_header_is_refused(line: bytes) -> None:
    with pytest.raises(JournalError) as caught:
        parse_header(line)
    assert caught.value.code == "journal"
    assert caught.value.why
    assert caught.value.action


def test_a_later_major_version_is_refused_and_a_later_minor_is_read() -> None:
    with pytest.raises(JournalNewer, match=r"format 2\.3"):
        parse_header(b'{"stepline": "2.3"}')
    header = parse_header(b'{"stepline": "1.9", "task": {"id": "a"}, "run": "r", "time": 1, "later": []}')
    assert header.format == (1, 9)
    assert (header.task_name, header.task_key, header.total_steps, header.settings) == ("a", None, None, {})
    assert header.process == Process(0, None, "", None, None)


def test_ten_lines_of_shell_write_a_journal(tmp_path: Path) -> None:
    subprocess.run(["sh", str(ROOT / "tests" / "journal_by_hand.sh"), str(tmp_path)], check=True)
    (journal,) = tmp_path.glob("*.jsonl")
    header, _, rest = journal.read_bytes().partition(b"\n")
    assert parse_header(header).task_name == "from a shell"
    records = entries(rest)
    assert [(r.kind, r.step, r.metrics.get("loss")) for r in records if isinstance(r, Record)] == [
        ("train_start", None, None),
        ("step", 1, 3.5),
        ("step", 2, 2.5),
        ("step", 3, 1.5),
        ("train_end", 3, None),
    ]


def test_the_page_of_the_format_is_true() -> None:
    page = (ROOT / "docs" / "journal.md").read_text("utf-8")
    blocks = re.findall(r"```\n(.*?)```", page, re.DOTALL)
    header, record, others, command = blocks
    assert parse_header(" ".join(header.split()).encode()).process.pid == 4711
    assert [type(entry) for entry in entries((record + others).encode())] == [Record, Heartbeat, Update]
    assert json.loads(command)["command"] == "stop"
    assert all(f"`{word}`" in page for word in KINDS | PHASES)
