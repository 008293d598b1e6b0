"""`stepline run`: real child processes, with scripts that know nothing of Stepline."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from stepline.errors import UsageError
from stepline.home import Home
from stepline.launcher import launch, lay_out_core
from stepline.launcher.ending import name_ending
from stepline.recording.journal import Record, parse_header, parse_lines

TRAINING = """
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

    data = [{"input_ids": torch.arange(16) % 7, "labels": torch.arange(16) % 7} for _ in range(64)]
    config = GPT2Config(vocab_size=8, n_positions=16, n_embd=16, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
    arguments = TrainingArguments(
        "out", max_steps=6, logging_steps=2, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True
    )
    trainer = Trainer(GPT2LMHeadModel(config), arguments, train_dataset=data)
    trainer.train()
"""


def script(folder: Path, text: str) -> list[str]:
    path = folder / "train.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return [sys.executable, str(path)]


def journals(home: Home) -> list[tuple[str, list[Record]]]:
    found = []
    for path in sorted(home.journals.glob("*.jsonl")):
        head, _, rest = path.read_bytes().partition(b"\n")
        records = [entry for entry in parse_lines(rest, ended=True).entries if isinstance(entry, Record)]
        found.append((parse_header(head).task_name, records))
    return found


def test_an_unchanged_script_is_recorded(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("transformers", reason="transformers is missing: make setup")
    monkeypatch.chdir(tmp_path)
    ending = launch(script(tmp_path, TRAINING), home, task="unchanged")
    assert ending.cause == "completed"
    ((name, records),) = journals(home)
    assert name == "unchanged"
    assert [record.step for record in records if record.kind == "step"] == [2, 4, 6]
    assert records[-1].kind == "train_end"
    assert records[-1].details["status"] == "completed"


def test_a_killed_training_says_so_although_it_could_not(home: Home, tmp_path: Path):
    text = """
        import os, signal
        from stepline import record

        with record("killed") as run:
            run.log({"loss": 1.0}, step=1)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    ending = launch(script(tmp_path, text), home)
    assert (ending.cause, ending.returncode) == ("signal", -9)
    ((_, records),) = journals(home)
    assert records[-1].kind == "train_end"
    assert records[-1].details["status"] == "failed"
    assert records[-1].message == "Killed (SIGKILL)."


def test_the_environments_own_sitecustomize_still_runs(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import os\nos.environ['OWN_RAN'] = 'yes'\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(own))
    text = """
        import os, sys
        sys.exit(0 if os.environ.get("OWN_RAN") == "yes" and "stepline.recording.hook" in sys.modules else 3)
    """
    assert launch(script(tmp_path, text), home).returncode == 0


def test_standard_error_passes_through(home: Home, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    launch(script(tmp_path, "import sys; sys.stderr.write('half a line')"), home)
    assert capfdbinary.readouterr().err == b"half a line"


def test_an_environment_without_stepline_needs_nothing_installed(home: Home, tmp_path: Path):
    """The files laid out are enough for an interpreter that sees no site-packages."""
    folder = lay_out_core(home)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}
    code = "import stepline; from stepline import record; print(stepline.__file__)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert str(folder) in done.stdout
    assert not (folder / "stepline" / "store").exists()


def test_a_command_that_cannot_be_started_is_told(home: Home):
    with pytest.raises(UsageError) as caught:
        launch(["no-such-command-here"], home)
    assert "no-such-command-here" in caught.value.what


@pytest.mark.parametrize(
    ("returncode", "errors", "kills", "cause"),
    [
        (0, "", 0, "completed"),
        (-2, "", 0, "interrupted"),
        (1, "Traceback (most recent call last):\nKeyboardInterrupt\n", 0, "interrupted"),
        (1, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", 0, "cuda_out_of_memory"),
        (1, "CUDA out of memory\n" + "going on\n" * 100 + "ValueError: later\n", 0, "exception"),
        (1, "OSError: [Errno 28] No space left on device: 'x'\n", 0, "disk_full"),
        (-9, "", 1, "system_out_of_memory"),
        (-9, "", 0, "signal"),
        (137, "", 0, "signal"),
        (-11, "", 0, "signal"),
        (3, "nothing of use\n", 0, "exit"),
    ],
)
def test_an_end_has_a_name(returncode: int, errors: str, kills: int, cause: str):
    assert name_ending(returncode, errors, memory_kills_meanwhile=kills).cause == cause
