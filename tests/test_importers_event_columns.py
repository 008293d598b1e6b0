"""Event files as columns: what the reader of single events says of the same bytes, whatever they hold."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepline.errors import ImportFailed
from stepline.importers import event_file, import_paths
from stepline.importers.shaping import shaped
from stepline.kernels.crc32c import crc32c, masked
from stepline.store import Store
from tests.import_files import event, field, simple, single, tensor, text_summary, tfrecord, varint

NEVER = 1 << 62
AT_EASE = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
HISTORIES = Path(__file__).parents[2] / "shared" / "data" / "histories"


def told(*paths: Path, columns_from_bytes: int) -> tuple[object, ...]:
    """All that an import would say and take, as text: so NaN equals itself."""
    try:
        reading = event_file.read(*paths, columns_from_bytes=columns_from_bytes)
        task = shaped(reading)
    except ImportFailed as error:
        return (str(error),)
    assert (reading.columns is None) == (columns_from_bytes == NEVER)
    runs = [(r.started, r.last_step, r.total_steps, r.settings, r.status, r.message) for r in task.runs]
    records = [(i, r.kind, r.time, r.step, r.epoch, list(r.metrics.items()), r.details) for i, r in task.records()]
    by_run = [[repr(record) for record in run.records()] for run in task.runs]
    return repr(runs), list(map(repr, records)), by_run, task.told, task.names, task.left_out


def assert_same(*paths: Path) -> None:
    for one, other in zip(
        told(*paths, columns_from_bytes=NEVER), told(*paths, columns_from_bytes=0), strict=True
    ):  # fmt: skip
        assert one == other


tags = st.sampled_from(
    ["loss", "train/loss", "eval/loss", "val_acc", "train/epoch", "lr", "max_steps", "名", "x" * 150]
)
closing = st.sampled_from(["train/train_runtime", "train/train_loss", "train/total_flos", "train/epoch"])
numbers = st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan"), float("inf")]) | st.floats(width=32)
forms = st.sampled_from(
    [
        simple,
        tensor,
        lambda tag, value: tensor(tag, value, content=True),
        lambda tag, value: single(2, value) + field(1, tag),
        lambda tag, value: field(1, tag) + field(8, field(1, 2) + field(2, b"") + varint(6 << 3 | 1) + bytes(8)),
        lambda tag, value: field(1, tag) + field(5, b"histogram"),
        lambda tag, value: text_summary("args/text_summary", '{"seed": 7}'),
        lambda tag, value: tensor(tag, value, plugin="images"),
    ]
)
steps = st.integers(-1, 40) | st.sampled_from([127, 128, 16_384, 2**31, 2**53 + 1, -(2**62)])
values = st.lists(st.builds(lambda form, tag, value: form(tag, value), forms, tags | closing, numbers), max_size=4)
plain = st.builds(lambda step, tag, value: event(step, [simple(tag, value)]), steps, tags, numbers)
records = st.one_of(
    plain,
    st.builds(lambda step, found: event(step, found), steps, values),
    st.builds(lambda step: tfrecord(field(2, step) + field(1, 5.0)), steps),
    st.binary(max_size=12).map(tfrecord),
    st.just(tfrecord(field(1, 1.7e9) + field(4, b"graph"))),
)
pieces = st.lists(records | st.lists(plain, min_size=3, max_size=40).map(b"".join), min_size=1, max_size=30)
flips = st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=3)


@AT_EASE
@given(st.lists(pieces, min_size=1, max_size=2), flips, st.just(1.0) | st.floats(0, 1))
def test_columns_are_the_rows_they_stand_for(files, flips, cut):
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for place, file in enumerate(files):
            data = bytearray(b"".join(file))
            for where, bits in flips:
                data[int(where * (len(data) - 1))] ^= bits
            path = Path(folder) / f"events.out.tfevents.{place}"
            path.write_bytes(data[: int(cut * len(data)) + 1])
            os.utime(path, (1.7e9, 1.7e9))
            paths.append(path)
        assert_same(*paths)


@pytest.mark.skipif(not HISTORIES.is_dir(), reason="shared/data/histories is not here")
def test_real_files():
    found = [path for path in sorted(HISTORIES.rglob("*tfevents*")) if path.is_file()]
    assert found
    for path in found:
        assert_same(path)
    assert_same(*(path for path in found if path.parent.name == "tbdir-lain"))


def test_windows_are_no_seam(tmp_path):
    """Records of a megabyte between the scalars carry the file over several windows, one of them damaged."""
    data = bytearray()
    for step in range(1, 60):
        data += event(step, [simple("train/loss", step), tensor("train/lr", 1.0)])
        graph = field(1, 1.7e9) + field(4, bytes(1_000_000 + step * 7))
        length = struct.pack("<Q", len(graph))
        # The sum of so long a record's data is not looked at.
        data += length + struct.pack("<I", masked(crc32c(length))) + graph + bytes(4)
        data += b"".join(event(step * 100 + each, [simple("eval/loss", each)]) for each in range(50))
    data[25_000_000] ^= 1
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(data)
    assert_same(path)


def test_a_long_file_goes_into_the_store_and_only_what_grew_the_second_time(tmp_path):
    """Longer than a part that is handed over, with a restart and a closing row in it, and then a record more."""
    epochs = [event(step, [simple("loss", 1 / (step + 1)), simple("lr", step)]) for step in range(2_000)]
    closing = event(2_000, [simple("train/train_runtime", 9.0), simple("train/total_flos", 9.0)])
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(b"".join([*epochs, closing]) * 70)
    store = Store.open(tmp_path / "s.db", writable=True)
    (first,) = import_paths(store, [path])
    assert (first.state, first.runs, first.records) == ("imported", 70, 70 * 2_001)
    (again,) = import_paths(store, [path])
    assert again.state == "unchanged"
    with path.open("ab") as file:
        file.write(event(0, [simple("loss", 5.0), simple("lr", 0.0)]))
    (grown,) = import_paths(store, [path])
    assert (grown.state, grown.records, grown.runs) == ("grown", 1, 71)
    found = list(store.records(str(grown.task_id)))
    wanted = [record for _, record in shaped(event_file.read(path, columns_from_bytes=NEVER)).records()]
    assert len(found) == len(wanted)
    assert all(
        (one.kind, one.time, one.step, one.metrics) == (other.kind, other.time, other.step, other.metrics)
        for one, other in zip(found, wanted, strict=True)
    )
    store.close()
