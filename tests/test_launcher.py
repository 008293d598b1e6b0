"""`stepline run`: real child processes, with scripts that know nothing of Stepline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from stepline.errors import UsageError
from stepline.home import Home
from stepline.launcher import launch, lay_out_core
from stepline.launcher.ending import name_ending
from stepline.recording.journal import Record, parse_header, parse_lines
from tests.programs import STEPLINE

# TRL's trainer is a subclass of transformers' own, and loads it in its own way.
TRAINING = """
    import torch
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
    from trl import SFTConfig, SFTTrainer

    words = Tokenizer(models.WordLevel({"a": 0, "b": 1, "c": 2, "<eos>": 3}, unk_token="a"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<eos>", pad_token="<eos>")
    config = GPT2Config(vocab_size=4, n_positions=16, n_embd=16, n_layer=1, n_head=1, bos_token_id=3, eos_token_id=3)
    arguments = SFTConfig(
        "out", max_steps=6, logging_steps=2, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
        max_length=16,
    )
    data = Dataset.from_dict({"text": ["a b c a b c"] * 64})
    trainer = SFTTrainer(GPT2LMHeadModel(config), arguments, train_dataset=data, processing_class=tokenizer)
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
    if not all(find_spec(name) for name in ("transformers", "trl")):
        pytest.skip("transformers or trl is missing: make setup")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    ending = launch(script(tmp_path, TRAINING), home, task="unchanged")
    assert ending.cause == "completed"
    ((name, records),) = journals(home)
    assert name == "unchanged"
    assert [record.step for record in records if record.kind == "step"] == [2, 4, 6]
    assert records[-1].kind == "train_end"
    assert {"loss", "mean_token_accuracy", "entropy"} <= records[1].metrics.keys()
    assert records[-1].details["status"] == "completed"
    assert records[-1].metrics["total_flos"] > 0


PENDING = "from stepline.home import Home; from stepline.recording.run_journal import Recorder, new_header; "
PENDING += "from stepline.recording.task_identity import task_of_key; "
PENDING += "run = Recorder(Home.open(), new_header(task_of_key('pilot'), None, {}), pending=True)"

ENDINGS = {
    "os.kill(os.getpid(), signal.SIGKILL)": ("failed", "signal", "Killed (SIGKILL)."),
    "os.kill(os.getpid(), signal.SIGTERM)": ("failed", "signal", "Ended by SIGTERM."),
    "os._exit(3)": ("failed", "exit", "Ended with exit code 3."),
    "os._exit(0)": ("completed", "completed", "The process ended by itself."),
    # What torch raises where a GPU's memory is full, and a script that prints it and leaves.
    "print('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB', file=sys.stderr, flush=True); "
    "os._exit(1)": (
        "failed",
        "cuda_out_of_memory",
        "CUDA ran out of memory. torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
    ),
    "ctypes.string_at(0)": ("failed", "signal", "Ended by SIGSEGV."),
}
if sys.platform == "win32":
    # No signals: who ends another process names its exit code.
    del ENDINGS["os.kill(os.getpid(), signal.SIGKILL)"], ENDINGS["ctypes.string_at(0)"]
    ENDINGS["os.kill(os.getpid(), signal.SIGTERM)"] = ("failed", "exit", "Ended with exit code 15.")


@pytest.mark.parametrize(
    ("code", "cause", "message"),
    [
        (-9, "signal", "Killed (SIGKILL)."),
        (137, "signal", "Killed (SIGKILL)."),
        (139, "signal", "Ended by SIGSEGV."),
        (0xC0000005, "signal", "Ended by the system (0xC0000005)."),
        (0xC000013A, "interrupted", "Interrupted from the keyboard."),
        (200, "exit", "Ended with exit code 200."),
    ],
)
def test_exit_codes_are_named(code: int, cause: str, message: str):
    ending = name_ending(code, "")
    assert (ending.cause, ending.text) == (cause, message)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_training_says_how_it_ended_although_it_could_not(home: Home, tmp_path: Path, ending: str):
    text = f"""
        import ctypes, os, signal, sys
        from stepline import record

        with record("pilot") as run:
            run.log({{"loss": 1.0}}, step=1)
            {ending}
    """
    status, cause, message = ENDINGS[ending]
    assert launch(script(tmp_path, text), home).cause == cause
    ((_, records),) = journals(home)
    assert records[-1].kind == "train_end"
    assert (records[-1].details["status"], records[-1].message) == (status, message)
    assert records[-1].details["exit"]["cause"] == cause


def test_what_a_training_said_of_its_own_end_stays(home: Home, tmp_path: Path):
    text = """
        import sys
        from stepline import record

        with record("pilot") as run:
            with open(sys.argv[1], "wb", buffering=0) as file:
                file.write(b"x")
    """
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    ending = launch([*script(tmp_path, text), "/dev/full"], home)
    assert (ending.cause, ending.returncode) == ("disk_full", 1)
    ((_, records),) = journals(home)
    assert records[-1].message == "OSError: [Errno 28] No space left on device"


def test_an_exception_is_the_end_by_its_name(home: Home, tmp_path: Path):
    text = """
        from stepline import record

        with record("pilot") as run:
            run.log({"loss": 1.0}, step=1)
            raise ValueError("the data has a hole")
    """
    ending = launch(script(tmp_path, text), home)
    assert (ending.cause, ending.text) == ("exception", "ValueError: the data has a hole")
    ((_, records),) = journals(home)
    assert records[-1].message == "ValueError: the data has a hole"
    assert 'raise ValueError("the data has a hole")' in records[-1].details["error"]["traceback"]


@contextmanager
def little_memory() -> Iterator[Path]:
    """A control group of 200 MB, whose file `cgroup.procs` a process joins by; only root on Linux may make one."""
    v1 = Path("/sys/fs/cgroup/memory")
    try:
        lines = Path("/proc/self/cgroup").read_text("ascii").splitlines()
        groups = dict(line.split(":", 2)[1:] for line in lines)
        root, own, limit = (v1, groups["memory"], "memory.limit_in_bytes") if v1.is_dir() else (
            v1.parent, groups[""], "memory.max",
        )  # fmt: skip
        group = root / own.lstrip("/") / f"stepline-test-{os.getpid()}"
        group.mkdir()
    except (OSError, KeyError, ValueError):
        pytest.skip("making a control group takes root on Linux")
    try:
        try:
            (group / limit).write_text(str(200 << 20))
        except OSError:
            pytest.skip("no control group for memory can be made here")
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def test_a_training_that_the_system_kills_for_memory_is_named(home: Home, tmp_path: Path):
    text = """
        import os, sys
        from stepline import record

        with record("pilot") as run:
            run.log({"loss": 1.0}, step=1)
            with open(sys.argv[1], "w") as group:
                group.write(str(os.getpid()))
            held = []
            while True:
                held.append(bytearray(os.urandom(1 << 20) * 8))
    """
    with little_memory() as group:
        ending = launch([*script(tmp_path, text), str(group)], home)
    assert (ending.cause, ending.returncode) == ("system_out_of_memory", -signal.SIGKILL)
    ((_, records),) = journals(home)
    assert (records[-1].details["status"], records[-1].message) == ("failed", "Killed by the system: memory ran out.")


def test_ctrl_c_reaches_the_training_and_its_end_is_told(home: Home, tmp_path: Path):
    text = """
        import time
        from stepline import record

        with record("pilot") as run:
            print("there", flush=True)
            time.sleep(60)
    """
    if not STEPLINE.is_file():
        pytest.skip("the command is not installed: make setup")
    command = [STEPLINE, "run", "--home", str(home.path), "--", *script(tmp_path, text)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        # As a terminal does it: to the whole group.
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert process.returncode != 0
    ((_, records),) = journals(home)
    assert (records[-1].details["status"], records[-1].message) == ("stopped", "Interrupted (Ctrl-C)")


def test_a_trainer_that_never_trained_leaves_nothing_where_the_script_ended_well(home: Home, tmp_path: Path):
    assert launch(script(tmp_path, f"import os\n{PENDING}\nos._exit(0)"), home).cause == "completed"
    assert journals(home) == []
    assert launch(script(tmp_path, f"import os\n{PENDING}\nos._exit(1)"), home).cause == "exit"
    ((_, (end,)),) = journals(home)
    assert (end.details["status"], end.message) == ("failed", "Ended with exit code 1.")


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
