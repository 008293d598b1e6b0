"""The speed of real trainings whose steps, evaluations, saves and data take known times."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch and transformers: pip install stepline[hf]")
pytest.importorskip("transformers", reason="needs torch and transformers: pip install stepline[hf]")

import torch
from transformers import Trainer

from stepline.home import Home
from tests import trainings
from tests.journals import only_journal, read_journals
from tests.trainings import Slow, build, windows


def test_speed_is_over_the_time_spent_training(home: Home, output: Path) -> None:
    class SlowEvaluation(Trainer):
        def evaluate(self, *args: Any, **kwargs: Any) -> Any:
            time.sleep(0.5)
            return super().evaluate(*args, **kwargs)

        def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
            time.sleep(0.5)
            super()._save_checkpoint(*args, **kwargs)

    build(
        output,
        home.path,
        trainer_class=SlowEvaluation,
        callbacks=(Slow(),),
        max_steps=16,
        logging_steps=2,
        include_num_input_tokens_seen=True,
        eval_strategy="steps",
        eval_steps=4,
        eval_dataset=windows(4),
        save_strategy="steps",
        save_steps=8,
    ).train()
    rows = [record.metrics for record in only_journal(home.path).of("step")]
    speeds = sorted(float(row["samples_per_second"]) for row in rows)
    # 4 samples a step that takes 20 ms and what training takes; with an evaluation's 500 ms in it, 16 at most.
    assert all(16 < speed < 200 for speed in speeds[1:]), speeds
    for row in rows:
        assert float(row["tokens_per_second"]) == pytest.approx(float(row["samples_per_second"]) * trainings.WINDOW)


class SlowData(torch.utils.data.IterableDataset[dict[str, Any]]):
    """Each sample takes 20 ms to come; those that a resumed run skips too, for they have no index."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for sample in itertools.cycle(windows(16)):
            time.sleep(0.02)
            yield sample


def test_speed_after_a_resume_leaves_out_the_data_that_was_skipped(home: Home, output: Path) -> None:
    saving = {"save_strategy": "steps", "save_steps": 20, "logging_steps": 2}
    for max_steps, resumed in ((20, None), (32, str(output / "checkpoint-20"))):
        trainer = build(output, home.path, max_steps=max_steps, **saving)
        trainer.train_dataset = SlowData()
        trainer.train(resume_from_checkpoint=resumed)
    first, second = read_journals(home.path)
    before, after = (
        [float(record.metrics["samples_per_second"]) for record in journal.of("step")] for journal in (first, second)
    )
    # 80 samples were skipped, in ten times the time that two steps take: counted in, they would leave a tenth.
    assert after[0] > 0.4 * sorted(before)[len(before) // 2]
    (told,) = second.of("message")
    assert told.step == 20
    assert told.details["fast_forward_secs"] >= 80 * 0.02
    assert told.message is not None
    assert told.message.startswith("Skipping the data that was trained on before took ")
