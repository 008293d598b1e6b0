"""What the server and the page say to each other, as types.

`web/src/wire.ts` is generated from this file by `python -m stepline.wire_typescript`; a test compares the two.
JSON has no NaN: a non-finite number travels as the string the journal writes, "NaN", "Infinity" or "-Infinity".
Times are Unix seconds, durations seconds. Samples do not travel in these types but in frames (docs/frame.md).
"""

from __future__ import annotations

from typing import Literal, TypedDict

Status = Literal["pending", "running", "stopping", "completed", "stopped", "failed"]
Kind = Literal["train_start", "step", "evaluation", "checkpoint", "train_end", "message"]
Axis = Literal["sequence", "step", "epoch", "time", "relative", "tokens"]
Severity = Literal["info", "warning", "error"]
NonFinite = Literal["NaN", "Infinity", "-Infinity"]
Number = float | NonFinite


class Task(TypedDict):
    """One line of the selector and of the table of tasks."""

    id: str
    name: str
    status: Status
    runs: int
    records: int
    step: int | None
    total_steps: int | None
    started: float | None
    updated: float | None
    """Time of the newest record."""
    duration_secs: float
    """Time spent training, all runs together."""
    last_loss: Number | None
    best_loss: Number | None
    best_evaluation: Number | None
    bytes: int
    """Size in the home."""
    tags: list[str]
    notes: str


class SettingChange(TypedDict):
    name: str
    before: str | None
    after: str | None


class Run(TypedDict):
    id: str
    number: int
    """1 for the task's first run."""
    status: Status
    phase: Literal["evaluate", "save", "fast_forward"] | None
    """What a run that lives does instead of training, where its last sign of life was a heartbeat that said so."""
    records: int
    first_sequence: int | None
    last_sequence: int | None
    first_step: int | None
    last_step: int | None
    total_steps: int | None
    started: float
    ended: float | None
    message: str | None
    """Why it ended, where that is known."""
    changes: list[SettingChange]
    """What differs in the settings from the run before; empty for the first run."""
    unresponsive: bool
    controls: list[str]
    """Commands that this run takes now: "stop", "save", "evaluate", "log"."""
    controls_at: Literal["step", "log"]
    """When it hears of a command: at the end of each step, or, on several ranks, of a step that logs."""
    no_controls: str | None
    """Why a run that lives takes none: "elsewhere", "before_training", "not_offered", or what its ranks said."""


class RunEnd(TypedDict):
    """What a run's end tells besides its message; None where it does not."""

    traceback: str | None
    standard_error: str | None
    """The last of it, where `stepline run` told the end."""


class Metric(TypedDict):
    name: str
    kind: Literal["number", "text"]
    count: int
    last: Number | str | None
    step: int | None
    """Step of the last value."""


class Checkpoint(TypedDict):
    sequence: int
    run: int
    step: int | None
    time: float
    path: str | None
    bytes: int | None
    secs: float | None
    """What saving it took."""


class Finding(TypedDict):
    id: str
    """Rule and place: stable while the finding stands, so that a page can dismiss it."""
    rule: str
    severity: Severity
    run: int
    first_sequence: int
    last_sequence: int
    evidence: dict[str, Number | str]
    """Values that the page's sentence for this rule is filled with."""


class SystemSeries(TypedDict):
    """A GPU or system figure (stepline.samplers has the names and units). Its points are placed by time."""

    name: str
    last: Number


class LogRow(TypedDict):
    sequence: int
    run: int
    step: int | None
    epoch: float | None
    time: float
    kind: Kind
    metrics: dict[str, Number | str]
    message: str | None
    status: Status | None
    """On `train_end`: how the run ended."""
    masked: bool
    """The loss was logged as 0 and hides a NaN: it is no point of its curve."""


class TaskDetail(TypedDict):
    task: Task
    runs: list[Run]
    metrics: list[Metric]
    """Derived ones included ("perplexity" where there is "loss")."""
    system: list[SystemSeries]
    """Empty where no run was sampled: it ran elsewhere, or was imported."""
    checkpoints: list[Checkpoint]
    findings: list[Finding]
    progress: float | None
    """Part of the total steps that is done, 0 to 1."""
    remaining_secs: tuple[float, float] | None
    """Time remaining as a range; None where it cannot be said."""
    logging_steps: int | None
    mean_speed: Number | None
    """Mean of all samples per second that were logged; None while the task trains."""
    cursor: int
    """Sequence of the next record: what this answer does not hold yet begins here."""


class TaskList(TypedDict):
    tasks: list[Task]


class Opening(TypedDict):
    """What a page needs for its first picture, in one answer: the list of tasks comes after it, over the socket."""

    settings: dict[str, object]
    tasks: int
    """How many there are."""
    detail: TaskDetail | None
    """Of the task looked at last, else of the newest that trains, waits or has ended; None where there is no task."""
    rows: list[LogRow]
    """The newest 200 of its log, newest first."""


class LogPage(TypedDict):
    rows: list[LogRow]
    total: int
    """Rows that match, also those not in this page."""


class Subscribe(TypedDict):
    """Page to server: what it looks at. Replaces the subscription before."""

    type: Literal["subscribe"]
    task: str | None
    cursor: int
    series: list[str]
    ema: int
    """Span in points; 0 is off."""
    ma: int


class Hello(TypedDict):
    type: Literal["hello"]
    version: str
    writer: bool


class TasksChanged(TypedDict):
    type: Literal["tasks"]
    tasks: list[Task]
    removed: list[str]
    more: bool
    """The list goes on in the next message: all tasks are told in parts, so that thousands do not come in one piece."""


class Facts(TypedDict):
    """Server to page: what is new of the subscribed task. The samples follow in a binary frame with the same cursor."""

    type: Literal["facts"]
    detail: TaskDetail
    rows: list[LogRow]


class Behind(TypedDict):
    """Server to page: this client fell behind, or its cursor is not known; fetch again and subscribe anew."""

    type: Literal["behind"]
    task: str


class ErrorBody(TypedDict):
    code: str
    what: str
    why: str
    action: str
    lost: str | None


class ErrorAnswer(TypedDict):
    error: ErrorBody


class Trouble(TypedDict):
    """Server to page: what it asked for over the socket cannot be had, for example a task that is gone."""

    type: Literal["trouble"]
    task: str | None
    error: ErrorBody


ServerMessage = Hello | TasksChanged | Facts | Behind | Trouble


class WatchedFolder(TypedDict):
    path: str
    problem: str | None
    """Why it cannot be looked at."""


class About(TypedDict):
    version: str
    home: str
    database: str
    database_moved: bool
    """The home lies on a network file system, so the database lies in a local folder instead."""
    writer: bool
    """False: another Stepline on this home takes the journals in, and this one reads beside it."""
    notes: list[str]
    """What a person should know of: damaged or refused journals."""
    watched: list[WatchedFolder]
    """The folders of the setting `watchFolders`."""
    kernels: Literal["preparing", "ready", "failed"]
    """Compiled in the background; until they are ready, and where they cannot be, NumPy does their work."""


EnvironmentKind = Literal["conda", "pyenv", "system", "uv", "venv"]


class FoundEnvironment(TypedDict):
    """A Python environment of this machine that has transformers, and the lines to paste for it."""

    kind: EnvironmentKind
    path: str
    transformers: str
    stepline: str | None
    """Version of what is installed there already."""
    install: str
    run: str


class Beginning(TypedDict):
    """How a training comes to be recorded: lines for a terminal, in any environment and in those that were found."""

    command: str
    wheel: str | None
    """The recorder's wheel, which the packaged app carries: the lines install it without an index."""
    install: str
    run: str
    environments: list[FoundEnvironment]


class TaskEdit(TypedDict, total=False):
    """What a page may change of a task; what is left out stays as it is."""

    name: str
    tags: list[str]
    notes: str


class TrashedTask(TypedDict):
    task: Task
    since: float
    bytes: int
    """With its journals."""


class Trash(TypedDict):
    tasks: list[TrashedTask]
    """The one that came last first."""
    kept_days: int
    """After so many days a task is removed; 0: it stays until somebody empties the trash."""


class ChosenTasks(TypedDict):
    """Ids of tasks that a person chose."""

    tasks: list[str]


class DemoBegun(TypedDict):
    kind: Literal["training", "recorded"]
    """`recorded`: no transformers here, so a training that was recorded elsewhere is played."""


class ReturnKey(TypedDict):
    """What a page keeps to come back by itself after a restart on the same home; hexadecimal."""

    key: str
    port: int


class Challenge(TypedDict):
    nonce: str


class ReturnProof(TypedDict):
    """The server's proof for the page's nonce, with a nonce of its own; then the page's proof for that one."""

    nonce: str
    proof: str


class TakeIn(TypedDict, total=False):
    """Asks to take in what lies in the home, and the histories at these paths besides: files, folders, journals."""

    paths: list[str]
    growing: bool
    """The files are followed: the last run of each goes on."""
    telling: bool
    """The answer is JSON lines, as that of an upload."""


class LeftOut(TypedDict):
    place: str
    reason: str


class Imported(TypedDict):
    """What became of one task of one path, or of the path, where no task was found in it."""

    path: str
    state: Literal["imported", "grown", "replaced", "unchanged", "recorded", "failed", "cancelled"]
    """`grown`: what is new was appended. `recorded`: Stepline recorded this training itself."""
    task: str | None
    name: str
    format: str
    runs: int
    records: int
    """Those added."""
    told: list[str]
    """What was understood in a way that a person should know, a sentence each."""
    left_out: list[LeftOut]
    left_out_count: int
    """`left_out` has the first 200 of them."""
    error: ErrorBody | None


class TakenIn(TypedDict):
    tasks: list[str]
    """Ids of the tasks that the asked paths belong to."""
    imported: list[Imported]


class ImportProgress(TypedDict):
    """How far an import is, 0 to 1; `TakenIn` or `ErrorAnswer` comes last."""

    share: float


class Command(TypedDict):
    """Asks a running training to do something now; it says in its journal when it did."""

    command: Literal["stop", "save", "evaluate", "log"]


class Focus(TypedDict):
    """Asks for the window, and to show there what was taken in for it; null: only to come forward."""

    taken: TakenIn | None


class CommandGiven(TypedDict):
    id: str
