"""Other tools' histories taken in: an event file beside TensorBoard's own loader, a long trainer state; the memory."""

from __future__ import annotations

import json
import random
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import event_files
from tests.bench.ground import Ground
from tests.bench.processes import BIN, installed, measured
from tests.bench.table import Beside, Row

ENTRIES = 100_000
ROUNDS = 3
MOST_MIB = 500.0


def rows(ground: Ground) -> Iterator[Row]:
    for steps in (10**5, 10**6, *((10**7,) if ground.large else ())):
        yield from _event_file(steps)
    yield from _trainer_state()


def _event_file(steps: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = event_files.write(Path(folder) / "logs", steps)
        ours, peer = [], []
        for each in range(1 + ROUNDS):
            ours.append(_imported(path, Path(folder), each))
            if installed("tensorboard_data_server"):
                peer.append(_loaded(path.parent))
    secs, mib = (statistics.median(each) for each in zip(*ours[1:], strict=True))
    its_secs, its_mib = (statistics.median(each) for each in zip(*peer, strict=True)) if peer else (None, None)
    beside = Beside("TensorBoard's fast loader, 1,000 points", its_secs)
    goal = 1.0 if steps >= 10**6 else None
    yield Row("event file of 5 scalars a step imported, all points", steps, secs, "s", beside, most_ratio=goal)
    beside = Beside("TensorBoard's fast loader", its_mib)
    yield Row("memory of that", steps, mib, "MiB", beside, most=MOST_MIB)


def _imported(path: Path, folder: Path, number: int) -> tuple[float, float]:
    """`stepline import` into a new home, from its start to its end. The first one compiles the kernels for all."""
    return measured(
        BIN / "stepline", "import", path, "--home", folder / f"home-{number}", NUMBA_CACHE_DIR=str(folder / "kernels")
    )


def _loaded(folder: Path) -> tuple[float, float]:
    """Its data server alone, without TensorBoard's own start."""
    import tensorboard_data_server

    words = ("--reload", "once", "--samples-per-plugin", "scalars=1000", "--port", "0", "-vv")
    return measured(tensorboard_data_server.server_binary(), "--logdir", folder, *words, until="Finished load cycle")


def _trainer_state() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trainer_state.json"
        write_state(path)
        found = [_imported(path, Path(folder), each) for each in range(1 + ROUNDS)][1:]
    secs, mib = (statistics.median(each) for each in zip(*found, strict=True))
    yield Row("trainer_state.json imported", ENTRIES, secs, "s", most=1.5)
    yield Row("memory of that", ENTRIES, mib, "MiB", most=MOST_MIB)


def write_state(path: Path) -> None:
    rng = random.Random(0)
    history = []
    for step in range(10, 10 * ENTRIES + 1, 10):
        if step % 1000 == 0:
            history.append({"epoch": step / 3000, "eval_loss": rng.gauss(2, 0.1), "eval_runtime": 3.2, "step": step})
        else:
            history.append(
                {
                    "epoch": step / 3000,
                    "grad_norm": rng.gammavariate(3, 0.3),
                    "learning_rate": 5e-5 * (1 - step / (10 * ENTRIES)),
                    "loss": round(3 + rng.gauss(0, 0.2), 4),
                    "step": step,
                }
            )
    state = {"best_metric": None, "global_step": 10 * ENTRIES, "log_history": history, "max_steps": 10 * ENTRIES}
    path.write_text(json.dumps(state, indent=2), encoding="utf-8")
