"""Small real trainings: transformers' Trainer on a byte-level GPT-2 of some 30,000 parameters, on the CPU.

Run as a script, `python trainings.py SCENE FOLDER`, it trains in a process of its own: to be killed or to fail.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.utils import logging

from stepline import SteplineCallback

logging.set_verbosity_error()
logging.disable_progress_bar()
# Threads cost more than they give at this size, and the machine has other work.
torch.set_num_threads(1)

TEXT = b"A ship's log tells what the wind did, hour by hour, and leaves out what the captain hoped. " * 8
WINDOW = 16


def windows(count: int) -> list[dict[str, list[int]]]:
    pieces = [list(TEXT[start : start + WINDOW]) for start in range(0, count * 5, 5)]
    return [{"input_ids": piece, "labels": piece} for piece in pieces]


def build(output: Path, home: Path, *, callbacks: tuple[Any, ...] = (), **options: Any) -> Trainer:
    """A Trainer with our callback. `options` are the arguments' and, of the Trainer's own, `eval_dataset`,
    `recorder` (a SteplineCallback to use; None for none), `trainer_class` and `model_init`."""
    set_seed(1)
    evaluation = options.pop("eval_dataset", None)
    recorder = options.pop("recorder", ...)
    trainer_class = options.pop("trainer_class", Trainer)
    model_init = options.pop("model_init", None)
    ours = [SteplineCallback(home=home)] if recorder is ... else [recorder] if recorder is not None else []
    arguments: dict[str, Any] = {
        "output_dir": str(output),
        "max_steps": 40,
        "learning_rate": 3e-3,
        "per_device_train_batch_size": 4,
        "logging_steps": 10,
        "save_strategy": "no",
        "disable_tqdm": True,
        "report_to": [],
        "dataloader_pin_memory": False,
        "use_cpu": True,
        **options,
    }
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=256, n_positions=WINDOW, n_embd=32, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)
    )
    return trainer_class(
        model=None if model_init else model,
        model_init=model_init,
        args=TrainingArguments(**arguments),
        train_dataset=windows(100),
        eval_dataset=evaluation,
        callbacks=[*ours, *callbacks],
    )


EVALUATING = {"eval_strategy": "steps", "eval_steps": 10}


class Slow(TrainerCallback):
    """Makes each step take so long that requests are seen within a few of them."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        time.sleep(0.02)


class At(TrainerCallback):
    """Does something at the end of one step: `act(args, state, control)`."""

    def __init__(self, step: int, act: Any) -> None:
        self.step = step
        self.act = act

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            self.act(args, state, control)


def ask(home: Path, run_id: str, *lines: dict[str, Any] | str) -> None:
    """Write requests to a run, as the page does."""
    with (home / "journals" / f"{run_id}.commands.jsonl").open("a") as file:
        for line in lines:
            file.write((line if isinstance(line, str) else json.dumps(line)) + "\n")


def ask_at(step: int, home: Path, *lines: dict[str, Any] | str) -> At:
    """A person who asks the home's newest run for something at a step; the run looks again 300 ms later."""

    def act(args: Any, state: Any, control: Any) -> None:
        if state.is_world_process_zero:
            newest = max(path.name for path in (home / "journals").glob("*.jsonl") if ".commands." not in path.name)
            ask(home, newest.removesuffix(".jsonl"), *lines)

    return At(step, act)


def fail(args: Any, state: Any, control: Any) -> None:
    raise ValueError("the data has a hole")


def stop(args: Any, state: Any, control: Any) -> None:
    control.should_training_stop = True


def say_where(args: Any, state: Any, control: Any) -> None:
    print("there", flush=True)


def two_ranks(folder: Path) -> None:
    """On each of two ranks: a training that is asked for a checkpoint, an evaluation and a stop, one of which only rank
    zero has Stepline, and another in the folder of the first."""
    options: dict[str, Any] = {"logging_steps": 5, "ddp_backend": "gloo"}
    asked = [{"id": "a", "command": "save"}, {"id": "b", "command": "evaluate"}, {"id": "c", "command": "log"}]
    ask = (ask_at(7, folder / "home", *asked), ask_at(60, folder / "home", {"id": "d", "command": "stop"}))
    first = build(
        folder / "out", folder / "home", callbacks=ask, max_steps=5000, eval_dataset=windows(4), save_strategy="steps",
        save_steps=20, **options,
    )  # fmt: skip
    first.train()
    rank = first.args.process_index
    # Never trained: it is taken back when the process ends.
    unused = build(folder / "unused", folder / "home", **options)
    recorder = SteplineCallback(home=folder / "other") if rank == 0 else None
    other = build(folder / "other out", folder / "other", recorder=recorder, **options)
    other.train()
    again = build(folder / "out", folder / "home", max_steps=20, **options)
    again.train()
    # Each into a file of its own: lines in a pipe of both were seen glued to what the trainer prints.
    steps = [trainer.state.global_step for trainer in (first, other, again)]
    (folder / f"rank-{rank}").write_text(f"of {first.args.world_size}: {steps}")
    assert unused.state.global_step == 0


def losses(trainer: Trainer) -> list[float]:
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


def set_back(folder: Path) -> None:
    """The clock is set back in the middle; then it waits to be told to go on."""

    def act(args: Any, state: Any, control: Any) -> None:
        before = time.time()
        Path(os.environ["SET_BACK"]).touch()
        assert time.time() < before - 3000

    def wait(args: Any, state: Any, control: Any) -> None:
        print("set back", flush=True)
        sys.stdin.readline()

    trainer = build(
        folder / "out", folder / "home", callbacks=(At(8, act), At(20, wait)), logging_steps=1, max_steps=30
    )
    trainer.train()
    print("losses", losses(trainer), flush=True)


def sixteen(folder: Path) -> None:
    """Sixteen processes that train at once, in one home; forked, for importing torch sixteen times takes a minute."""
    ready, begin = os.pipe()
    children = []
    for number in range(16):
        child = os.fork()
        if child == 0:
            os.close(begin)
            os.read(ready, 1)  # returns when the parent has closed its end, to all of them at once
            trainer = build(
                folder / f"out {number}", folder / "home", logging_steps=1, callbacks=(At(10, stop),), max_steps=30
            )
            trainer.train()
            print(f"losses {losses(trainer)}\n", end="", flush=True)
            os._exit(0)
        children.append(child)
    os.close(begin)
    ends = [os.waitpid(child, 0)[1] for child in children]
    sys.exit(0 if not any(ends) else 1)


def main(scene: str, folder: Path) -> None:
    output, home = folder / "out", folder / "home"
    if scene in ("endless", "serving"):
        # With data-loader workers, which are forked from the process that serves the page.
        recorder = SteplineCallback(home=home, serve=scene == "serving")
        options = {"max_steps": 10_000_000, "logging_steps": 1, "dataloader_num_workers": 2}
        build(output, home, recorder=recorder, callbacks=(At(12, say_where),), **options).train()
    elif scene in SCENES:
        SCENES[scene](folder)
    else:
        raise SystemExit(f"no scene {scene}")


SCENES = {"two_ranks": two_ranks, "set_back": set_back, "sixteen": sixteen}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
