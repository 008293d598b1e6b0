"""FOLDER: a small training by transformers' Trainer, with each call of the callback timed and its torch operations
counted."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from stepline import SteplineCallback

STEPS = 40


class Counting(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations[str(func)] += 1
        return func(*args, **(kwargs or {}))


counting = Counting()
spent: Counter[str] = Counter()


class Watched(SteplineCallback):
    """Every event of the trainer, timed apart."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("on_"):
            return found

        def watched(*words: Any, **named: Any) -> Any:
            began = time.perf_counter()
            with counting:
                result = found(*words, **named)
            spent[name] += (time.perf_counter() - began) * 1000  # type: ignore[assignment]
            return result

        return watched


def main() -> None:
    folder = Path(sys.argv[1])
    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=32, n_embd=32, n_layer=2, n_head=2))
    rows = [{"input_ids": row, "labels": row} for row in torch.randint(0, 64, (64, 16))]
    arguments = TrainingArguments(
        str(folder / "out"), max_steps=STEPS, logging_steps=5, per_device_train_batch_size=4, use_cpu=True,
        report_to=[], disable_tqdm=True, save_strategy="steps", save_steps=20,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=rows, callbacks=[Watched(home=folder / "home")])
    trainer.train()
    start = spent["on_init_end"] + spent["on_train_begin"]
    print(json.dumps({"start": start, "spent": spent, "operations": counting.operations}), flush=True)


if __name__ == "__main__":
    main()
