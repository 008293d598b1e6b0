"""The adapters in the real libraries, each with a small training."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stepline.adapters import is_evaluation, with_known_names
from stepline.home import Home
from stepline.recording.journal import Header, Record, Update, parse_header, parse_lines


def journal(home: Home) -> tuple[Header, dict[str, object], list[Record]]:
    """The one journal's header, its settings with what was added to them later, and its records."""
    (path,) = home.journals.glob("*.jsonl")
    head, _, rest = path.read_bytes().partition(b"\n")
    header, entries = parse_header(head), parse_lines(rest, ended=True).entries
    settings = dict(header.settings)
    for entry in entries:
        if isinstance(entry, Update):
            settings |= entry.settings or {}
    return header, settings, [entry for entry in entries if isinstance(entry, Record)]


def test_losses_get_the_names_their_charts_have():
    assert with_known_names({"train_loss": 1.0, "val/loss": 2.0, "f1": 3.0}) == {
        "loss": 1.0,
        "eval_loss": 2.0,
        "f1": 3.0,
    }
    assert with_known_names({"loss": 1.0, "train_loss": 2.0}) == {"loss": 1.0, "train_loss": 2.0}
    assert is_evaluation({"val_loss": 1.0, "epoch": 1})
    assert not is_evaluation({"loss": 1.0, "val_loss": 1.0})
    assert not is_evaluation({"epoch": 1})


@pytest.fixture
def lightning():
    return pytest.importorskip(
        "pytorch_lightning", reason="pytorch-lightning is missing: pip install pytorch-lightning"
    )


def test_lightning(home: Home, tmp_path: Path, lightning):
    import torch

    from stepline.adapters.lightning import SteplineLogger

    class Model(lightning.LightningModule):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)
            self.save_hyperparameters({"width": 2})

        def training_step(self, batch, index):
            loss = self.layer(batch[0]).square().mean()
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, index):
            self.log("val_loss", self.layer(batch[0]).square().mean())

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(16, 2)), batch_size=4)
    trainer = lightning.Trainer(
        max_epochs=2, log_every_n_steps=1, logger=SteplineLogger("pilot", home=home.path), default_root_dir=tmp_path,
        accelerator="cpu", enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Model(), data, data)
    header, settings, records = journal(home)
    assert (header.task_name, settings["width"]) == ("pilot", 2)
    steps = [record for record in records if record.kind == "step" and "loss" in record.metrics]
    assert [record.step for record in steps] == list(range(8))
    assert [record.epoch for record in records if record.kind == "evaluation"] == [0.0, 1.0]
    assert all("eval_loss" in record.metrics for record in records if record.kind == "evaluation")
    assert [record.kind for record in records].count("checkpoint") >= 1
    assert records[-1].details["status"] == "completed"


@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [(KeyboardInterrupt(), "stopped", "Interrupted (Ctrl-C)"), (ValueError("boom"), "failed", "ValueError: boom")],
)
def test_lightning_ends_by_what_was_raised(
    home: Home, tmp_path, lightning, raised: BaseException, status: str, message: str
):
    """Lightning itself tells its loggers "failed" of both."""
    import torch

    from stepline.adapters.lightning import SteplineLogger

    class Model(lightning.LightningModule):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def training_step(self, batch, index):
            self.log("train_loss", 1.0)
            if index == 2:
                raise raised
            return self.layer(batch[0]).square().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(16, 2)), batch_size=4)
    trainer = lightning.Trainer(
        max_epochs=1, log_every_n_steps=1, logger=SteplineLogger("pilot", home=home.path), default_root_dir=tmp_path,
        accelerator="cpu", enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    with pytest.raises((SystemExit, KeyboardInterrupt, ValueError)):
        trainer.fit(Model(), data)
    _header, _settings, records = journal(home)
    assert (records[-1].details["status"], records[-1].message) == (status, message)


def test_accelerate(home: Home):
    accelerate = pytest.importorskip("accelerate", reason="accelerate is missing: make setup")
    from stepline.adapters.accelerate import SteplineTracker

    accelerator = accelerate.Accelerator(cpu=True, log_with=SteplineTracker("pilot", home=home.path))
    accelerator.init_trackers("project", config={"lr": 0.1})
    accelerator.log({"train_loss": 2.0}, step=1)
    accelerator.log({"eval_loss": 2.5}, step=1)
    accelerator.end_training()
    _header, settings, records = journal(home)
    assert settings["lr"] == 0.1
    assert [(record.kind, record.step, record.metrics) for record in records[1:3]] == [
        ("step", 1, {"loss": 2.0}),
        ("evaluation", 1, {"eval_loss": 2.5}),
    ]
    assert records[-1].details["status"] == "completed"


@pytest.mark.parametrize(("every", "steps"), [(2, [2, 4, 6, 8]), (3, [3, 4, 6, 8]), (10, [4, 8])])
def test_keras(home: Home, every: int, steps: list[int]):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="keras is missing: pip install keras")
    import numpy as np

    from stepline.adapters.keras import SteplineKerasCallback

    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    inputs, targets = np.ones((16, 2), np.float32), np.ones((16, 1), np.float32)
    callback = SteplineKerasCallback("pilot", every_batches=every, home=home.path)
    model.fit(
        inputs, targets, batch_size=4, epochs=2, validation_data=(inputs, targets), verbose=0, callbacks=[callback]
    )
    header, _settings, records = journal(home)
    assert header.total_steps == 8
    assert [record.step for record in records if record.kind == "step"] == steps
    assert all("val_loss" not in record.metrics for record in records if record.kind == "step")
    assert [(record.step, "eval_loss" in record.metrics) for record in records if record.kind == "evaluation"] == [
        (4, True),
        (8, True),
    ]
    assert records[-1].details["status"] == "completed"
