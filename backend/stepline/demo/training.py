"""The demo's training: transformers' own Trainer, as any user's script would run it.

It acts out the history that Stepline exists to show: a first run with too high a learning rate is interrupted at step
30, a second one starts over from step 0 with a lower one, evaluates, saves checkpoints and completes. It is stopped as
a person would stop it, through the Trainer's control, and recorded as any training is, by `SteplineCallback`.

About 350,000 parameters, some 200 steps in all: well under a minute on two CPU cores. Where a GPU makes it much faster,
`secs_per_step` keeps it slow enough to watch.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stepline.demo import text

TOTAL_STEPS = 160
INTERRUPTED_AT = 30
LEARNING_RATES = (3e-2, 3e-3)
WINDOW_BYTES = 96
BATCH = 16
SEED = 1
SECS_PER_STEP = 0.2


@dataclass(frozen=True)
class Progress:
    """Where the training stands. `run` counts from 1; 0: still loading its libraries."""

    run: int = 0
    step: int = 0
    total_steps: int = TOTAL_STEPS
    loss: float | None = None


class DemoTraining:
    """One demo on one home: a task of its own with two runs.

    `run` trains in the calling thread; `stop`, from any thread, ends it after the step it is in.
    """

    def __init__(self, home: Path, *, max_steps: int | None = None, secs_per_step: float = 0.0) -> None:
        """`max_steps`: steps of each run, at least 2. `secs_per_step`: no step takes less."""
        self.total_steps = max_steps or TOTAL_STEPS
        self.interrupted_at = INTERRUPTED_AT if self.total_steps > INTERRUPTED_AT else self.total_steps // 2
        self.secs_per_step = secs_per_step
        self.home = home
        self.progress = Progress(total_steps=self.total_steps)
        self.folder: Path | None = None
        """Its output folder, with the task's side-car; None before it begins."""
        self.on_begin: Callable[[], object] = lambda: None
        """Called, in the training's thread, when the first run was recorded to have begun."""
        self.stopping = threading.Event()

    def stop(self) -> None:
        """Ask for the end; the run is recorded as stopped."""
        self.stopping.set()

    def run(self) -> None:
        """Train both runs. Raises what torch and transformers raise; the recorder has told of it by then."""
        output = self.folder = new_folder(self.home / "demo")
        for number, learning_rate in enumerate(LEARNING_RATES, start=1):
            if self.stopping.is_set():
                return
            last_step = self.interrupted_at if number < len(LEARNING_RATES) else self.total_steps
            self._train(number, learning_rate, last_step, output)

    def _train(self, number: int, learning_rate: float, last_step: int, output: Path) -> None:
        # One GPU is plenty; with several the Trainer would copy this small model to each, every step.
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
        import torch
        from transformers import (
            GPT2Config,
            GPT2LMHeadModel,
            PrinterCallback,
            Trainer,
            TrainerCallback,
            TrainingArguments,
            set_seed,
        )
        from transformers.utils import logging

        from stepline import SteplineCallback

        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]

        demo = self

        class Steps(TrainerCallback):
            """Tells where it stands, keeps the pace, and stops where the run is to be interrupted."""

            began = 0.0

            def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if number == 1:
                    demo.on_begin()

            def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                self.began = time.perf_counter()

            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                demo.stopping.wait(max(0.0, demo.secs_per_step - (time.perf_counter() - self.began)))
                if demo.stopping.is_set() or last_step <= state.global_step < state.max_steps:
                    control.should_training_stop = True

            def on_log(self, args: Any, state: Any, control: Any, **known: Any) -> None:
                loss = known["logs"].get("loss", demo.progress.loss)
                demo.progress = Progress(number, state.global_step, demo.total_steps, loss)

        set_seed(SEED)
        # One thread less than there are cores: the window and the server run in this process too.
        torch.set_num_threads(max(1, min(2, (os.cpu_count() or 2) - 1)))
        data = text.load(WINDOW_BYTES)
        model = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=256,
                n_positions=WINDOW_BYTES,
                n_embd=96,
                n_layer=3,
                n_head=4,
                bos_token_id=0,
                eos_token_id=0,
            )
        )
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=str(output),
                max_steps=self.total_steps,
                learning_rate=learning_rate,
                lr_scheduler_type="cosine",
                warmup_steps=self.total_steps // 16,
                per_device_train_batch_size=BATCH,
                per_device_eval_batch_size=BATCH,
                logging_steps=1,
                eval_strategy="steps",
                eval_steps=max(1, self.total_steps // 8),
                save_strategy="steps",
                save_steps=max(1, self.total_steps // 4),
                save_total_limit=2,
                seed=SEED,
                dataloader_pin_memory=False,
                disable_tqdm=True,
                report_to=[],
            ),
            train_dataset=[{"input_ids": window, "labels": window} for window in data.training],
            eval_dataset=[{"input_ids": window, "labels": window} for window in data.held_out],
            callbacks=[SteplineCallback(home=self.home), Steps()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def new_folder(parent: Path) -> Path:
    """`tiny-gpt-1`, or the next number that is free: every demo is a task of its own."""
    number = 1
    while True:
        folder = parent / f"tiny-gpt-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder
