"""Damaged files: an importer takes what is whole or says ImportFailed, and the store is as before or has all of it."""

from __future__ import annotations

import json
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stepline.errors import ImportFailed
from stepline.importers import gathered, import_paths
from stepline.store import Store
from tests.import_files import (
    event_file,
    field,
    log_history,
    text_summary,
    tfrecord,
    trainer_state,
    wandb_exit,
    wandb_file,
    wandb_history,
    wandb_run,
)

FORMS = ("state", "events", "tensors", "wandb", "table", "lines", "console", "printed", "gzip")
PRINTED = (
    "Ep. 1 : Up. {n} : Sen. 31,872 : Cost {loss} * 1,2 @ 3 : Time 4.04s : gNorm 2.51 : L.r. 9.5e-06\n",
    "[valid] Ep. 1 : Up. {n} : cross-entropy : {loss} : new best\n",
    "2024-05-01 10:00:00 | INFO | train_inner | epoch 001: {n} / 5000 loss={loss}, nll_loss=8.2, num_updates={n}\n",
    "      Epoch    GPU_mem   box_loss   cls_loss  Instances       Size\n",
    "      {n}/60      2.2G      {loss}      1.5         12        640: 100%|####| 5/5 [00:01<00:00]\n",
    "   {n}/299   3.23G  {loss}  0.05  0.02  0.1  12  640  0.5  0.4  0.3  0.2  0.01  0.02  0.03\n",
    "E    #       LOSS TOK2VEC  LOSS NER  SCORE\n---  ------  ------------  --------  ------\n",
    "  0  {n}  0.00  {loss}  0.1\n",
    "|    loss    | {loss} |\n---------------\n[{n}]\ttrain-logloss:{loss}\teval-logloss:{loss}\n",
    "{n}:\tlearn: {loss}\ttest: {loss}\ttotal: 31ms\n[batch={n}/60]:\n\t Train loss/train/total: {loss}\n",
)


@lru_cache
def sample(form: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        scalars = [(step, tag, 1 / step) for step in range(1, 40) for tag in ("train/loss", "eval/loss", "lr")]
        if form == "state":
            trainer_state(path, log_history(range(1, 40), closing=True))
        elif form == "events":
            extra = tfrecord(field(5, field(1, text_summary("args/text_summary", '{"seed": 7}'))))
            event_file(path, scalars, extra=extra)
        elif form == "tensors":
            event_file(path, scalars, form="tensor")
        elif form == "wandb":
            rows = [wandb_history({"train/loss": 1 / step, "_step": step, "a.b": "x"}) for step in range(1, 60)]
            wandb_file(path, [wandb_run("abcd1234", {"lr": 0.5, "model": {"d": 1}}), *rows, wandb_exit(0)])
        elif form == "table":
            path.write_text(
                "epoch,step,train_loss,val_loss\n" + "".join(f"{n / 9},{n},{1 / n},\n" for n in range(1, 60))
            )
        elif form == "printed":
            path.write_text("".join(each.format(n=n, loss=1 / n) for n in range(1, 30) for each in PRINTED))
        elif form == "console":
            path.write_text(
                "".join(f"iter {n}: loss {1 / n:.4f}, time {n}ms\n 5%|  | {n}/60 [0:01]\r" for n in range(1, 60))
            )
        else:
            path.write_text(
                "".join(json.dumps({"step": n, "loss": 1 / n, "epoch": n / 9}) + "\n" for n in range(1, 60))
            )
        if form == "zip":
            with zipfile.ZipFile(packed := Path(folder) / "packed", "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(path, "run/log.jsonl")
            return packed.read_bytes()
        if form == "gzip":
            import gzip

            return gzip.compress(path.read_bytes())
        return path.read_bytes()


def damaged(form: str, flips: list[tuple[float, int]], cut: float, begin: float) -> bytes:
    data = bytearray(sample(form))
    for place, bits in flips:
        data[int(place * (len(data) - 1))] ^= bits
    return bytes(data[int(begin * len(data)) : int(cut * len(data)) + 1])


DAMAGE = {
    "flips": st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=6),
    "cut": st.one_of(st.just(1.0), st.floats(0, 1)),
    "begin": st.one_of(st.just(0.0), st.floats(0, 0.2)),
}
SHORT = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("form", FORMS)
@SHORT
@given(**DAMAGE)
def test_damage_never_breaks_an_importer(tmp_path, form, flips, cut, begin):
    path = tmp_path / "file"
    path.write_bytes(damaged(form, flips, cut, begin))
    try:
        found = gathered(path)
    except ImportFailed:
        return
    for task in found.tasks:
        count = sum(1 for _ in task.records())
        assert count == sum(sum(1 for _ in run.records()) for run in task.runs) > 0


@pytest.mark.parametrize("form", ["state", "events", "wandb", "lines", "printed", "zip"])
@settings(SHORT, max_examples=12)
@given(**DAMAGE)
def test_the_store_has_all_of_a_task_or_nothing(tmp_path_factory, form, flips, cut, begin):
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / "file"
    path.write_bytes(damaged(form, flips, cut, begin))
    store = Store.open(folder / "home.db", writable=True)
    (result,) = import_paths(store, [path])
    if result.state == "failed":
        assert store.tasks() == []
    else:
        (task,) = store.tasks()
        assert task.records == result.records == sum(1 for _ in store.records(task.id))
        assert import_paths(store, [path])[0].state == "unchanged"
    store.close()


@settings(SHORT, max_examples=200)
@example(data=b"\x08")
@given(data=st.binary(max_size=3000))
def test_any_bytes_are_a_history_or_no_history(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    try:
        found = gathered(path)
    except ImportFailed:
        return
    for task in found.tasks:
        list(task.records())


@settings(SHORT, max_examples=200)
@given(words=st.text(alphabet="loss step:=,{}[]'\"0123456789.-/%|eE\n\r\t naif", max_size=400))
def test_any_text_is_a_history_or_no_history(tmp_path, words):
    path = tmp_path / "file"
    path.write_text(words)
    try:
        found = gathered(path)
    except ImportFailed:
        return
    for task in found.tasks:
        list(task.records())
