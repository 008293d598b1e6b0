"""What tasks a path holds. A file is one task. Of a folder every file is looked at, by content; links that lead out of
it are not followed, and nothing is written.

- Event files of one directory are one source, in the order of their times; a `train`/`validation` pair of directories
  below one directory is one too, and a directory of event files without scalars, or with hparams and one row, lends its
  settings to the one above.
- An output folder is a directory with a trainer's state in it or in a `checkpoint-N` below it: its states, its event
  files below `runs`, its own log and what else below it tells of the same training are one task. Its checkpoints
  become records, `config.json` and `adapter_config.json` settings; `training_args.bin` is a pickle and stays closed.
- The metrics below one `metrics` folder are one run of MLflow. A metric file that lies elsewhere is a task when asked
  for itself.
- wandb runs of one run id are one task, and so are exported runs of one task. Everything else is a task of its own.

In a folder a table, JSON lines or a text log counts only with a loss and a place (step or epoch) in it: data sets and
configurations lie there too.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from stepline.errors import ImportFailed
from stepline.importers import (
    console,
    event_file,
    json_rows,
    limits,
    metric_files,
    names,
    own_export,
    sniffing,
    trainer_state,
    wandb_run,
)
from stepline.importers.imported import ImportedTask, Reading, Row
from stepline.importers.joining import is_same, joined, rank_of, with_marks
from stepline.importers.naming import folder_name
from stepline.importers.output_folder import checkpoint_marks, folder_settings
from stepline.importers.shaping import shaped

_SKIPPED_FOLDERS = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        "node_modules",
        "__pycache__",
        ".venv",
        "venv",
        "site-packages",
        ".ipynb_checkpoints",
        ".cache",
    }
)
_CHECKPOINT = re.compile(r"checkpoint-(\d{1,12})")
_EVENT_NAME = re.compile(r"tfevents\.(\d{5,}(?:\.\d+)?)")
_PART_OF_TRAINING = frozenset({"train", "training", "val", "valid", "validation", "eval", "test"})
_TEXT_SUFFIXES = frozenset({"", ".log", ".txt", ".out", ".err", ".gz", ".zst"})
_LEAST_ROWS = 3

Watch = Callable[[Path], None]


@dataclass(slots=True)
class Gathered:
    """The tasks of a path, journals among its files, and files that were refused with their reasons."""

    tasks: list[ImportedTask] = field(default_factory=list)
    journals: list[Path] = field(default_factory=list)
    refused: list[ImportFailed] = field(default_factory=list)


def gathered(path: Path, watch: Watch = lambda _: None, *, asked: bool = True) -> Gathered:
    """`watch` is called with each file before it is read, and may raise to stop. `asked` is False where nobody named
    this path. Raises ImportFailed where the path is not there or nothing in it can be taken."""
    if not path.exists():
        raise ImportFailed(f"There is no {path}", why="No file or folder has that path", action="Check its spelling")
    if not path.is_dir() and not path.is_file():
        raise ImportFailed(
            f"{path} is neither a file nor a folder",
            why="A pipe or a device can be read but once, and a history is gone through twice",
            action="Write what comes from it into a file, and import that",
        )
    if not path.is_dir() and asked:
        watch(path)
        return _one_file(path)
    found = _Folder(path, watch).gathered()
    if not found.tasks and not found.journals:
        if len(found.refused) == 1:
            raise found.refused[0]
        raise ImportFailed(
            f"{path} holds no training history",
            why="None of the files in it is one"
            + (f"; the first that looked like one: {found.refused[0]}" if found.refused else ""),
            action="See docs/importing.md for what can be imported",
        )
    return found


def _one_file(path: Path) -> Gathered:
    format_name = sniffing.format_of(path)
    if format_name == sniffing.JOURNAL:
        return Gathered(journals=[path])
    if format_name == own_export.FORMAT:
        return Gathered([own_export.read_task(path)])
    reading = sniffing.reading(path, format_name)
    if reading.format == trainer_state.FORMAT:
        reading.settings.update(folder_settings(path.parent))
    task = shaped(reading)
    if reading.format == trainer_state.FORMAT and path.parent.name.startswith("checkpoint-"):
        task = with_marks(task, checkpoint_marks([path.parent]))
    return Gathered([task])


class _Folder:
    def __init__(self, root: Path, watch: Watch) -> None:
        self._root = root
        self._watch = watch
        self._found = Gathered()
        self._events: dict[Path, list[Path]] = defaultdict(list)
        self._states: dict[Path, list[Path]] = defaultdict(list)
        self._metrics: dict[Path, list[Path]] = defaultdict(list)
        self._others: list[tuple[Path, ImportedTask]] = []

    def gathered(self) -> Gathered:
        for path in self._files():
            self._watch(path)
            try:
                self._sort(path)
            except ImportFailed as error:
                if _is_promising(path):
                    self._found.refused.append(error)
        for folder, task in self._event_tasks():
            self._others.append((folder, task))
        for metrics, paths in self._metrics.items():
            task = shaped(metric_files.read(*paths))
            self._others.append((metrics.parent, replace(task, key=f"path:{metrics.parent.resolve()}")))
        self._join_by_key()
        for folder in sorted(self._states, key=lambda each: len(each.parts), reverse=True):
            self._found.tasks.append(self._output_folder(folder))
        for _, task in self._one_of_each():
            self._found.tasks.append(task)
        self._found.tasks.sort(key=lambda task: str(task.paths[0]))
        return self._found

    def _files(self) -> Iterator[Path]:
        if not self._root.is_dir():
            yield self._root
            return
        count = 0
        depth = len(self._root.parts)
        seen: set[Path] = set()
        for folder, folders, files in os.walk(self._root):
            here = Path(folder)
            folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
            if len(here.parts) - depth >= limits.FOLDER_DEPTH:
                folders.clear()
            for name in sorted(files):
                path = here / name
                real = self._real(path)
                if real is None or real in seen:
                    continue
                seen.add(real)
                count += 1
                if count > limits.FOLDER_FILES:
                    return
                yield path

    def _real(self, path: Path) -> Path | None:
        """The file that `path` leads to; None where that is none, or one out of this folder."""
        try:
            real = path.resolve()
            is_inside = not path.is_symlink() or real.is_relative_to(self._root.resolve())
            return real if is_inside and path.is_file() else None
        except (OSError, RuntimeError):
            # A link to itself is a RuntimeError before Python 3.13.
            return None

    def _sort(self, path: Path) -> None:
        format_name = sniffing.format_of(path)
        folder = path.parent
        if format_name == sniffing.JOURNAL:
            self._found.journals.append(path)
        elif format_name == own_export.FORMAT:
            self._others.append((folder, own_export.read_task(path)))
        elif format_name == event_file.FORMAT:
            self._events[folder].append(path)
        elif format_name == trainer_state.FORMAT:
            if path.name == "trainer_state.json":
                self._states[folder.parent if _CHECKPOINT.fullmatch(folder.name) else folder].append(path)
            else:
                self._others.append((folder, shaped(sniffing.reading(path, format_name))))
        elif format_name == metric_files.FORMAT:
            if (metrics := metric_files.metrics_folder(path)) is not None:
                self._metrics[metrics].append(path)
        elif format_name == console.FORMAT and path.suffix.casefold() not in _TEXT_SUFFIXES:
            return
        else:
            reading = sniffing.reading(path, format_name)
            task = shaped(reading)
            if format_name == wandb_run.FORMAT or _is_history(task, reading):
                self._others.append((folder, task))

    def _event_tasks(self) -> Iterator[tuple[Path, ImportedTask]]:
        settings: dict[Path, dict[str, object]] = {}
        readings: dict[Path, list[tuple[str, Reading]]] = defaultdict(list)
        for folder in sorted(self._events, key=lambda each: len(each.parts), reverse=True):
            # Files that bear another name than the writer gives them were put together by a person.
            renamed = [path for path in self._events[folder] if not _EVENT_NAME.search(path.name)]
            for path in renamed:
                reading = event_file.read(path)
                if any(True for _ in reading.rows()):
                    yield folder, shaped(reading)
            paths = [path for path in self._events[folder] if path not in renamed]
            if not paths:
                continue
            reading = event_file.read(*sorted(paths, key=_event_order))
            first = list(islice(reading.rows(), 2))
            if not first or (reading.settings and len(first) == 1 and folder.parent in self._events):
                # `add_hparams` puts a folder below the run's, with its settings and the last figures.
                result = {name: value for row in first for name, value in row.values.items()}
                settings.setdefault(folder.parent, {}).update({**reading.settings, **result})
                continue
            reading.settings.update(settings.get(folder, {}))
            reading.name = folder_name(folder)
            part = folder.name.casefold()
            home = folder.parent if part in _PART_OF_TRAINING and folder != self._root else folder
            readings[home].append((part if home != folder else "", reading))
        for folder, parts in readings.items():
            task = shaped(_side_by_side(folder, parts) if len(parts) > 1 else parts[0][1])
            yield folder, replace(task, key=f"path:{folder.resolve()}")

    def _join_by_key(self) -> None:
        """What says itself that it belongs together: files of one wandb run, exported runs of one task."""
        runs: dict[str, list[tuple[Path, ImportedTask]]] = defaultdict(list)
        rest = []
        for folder, task in self._others:
            if task.key.startswith(("wandb:", "stepline:")):
                runs[":".join(task.key.split(":")[:2])].append((folder, task))
            else:
                rest.append((folder, task))
        for parts in runs.values():
            parts.sort(key=lambda each: each[1].runs[0].started)
            folder, first = parts[0]
            if len(parts) > 1:
                first = replace(
                    first,
                    # The source of a wandb run is its first file; that of an export the folder its runs lie in.
                    key=first.key if first.format == wandb_run.FORMAT else f"path:{folder.parent.resolve()}",
                    runs=[run for _, task in parts for run in task.runs],
                    paths=[path for _, task in parts for path in task.paths],
                    left_out=[remark for _, task in parts for remark in task.left_out],
                    stream=None,
                    parts=None,
                    reading=None,
                )
            rest.append((folder, first))
        self._others = rest

    def _output_folder(self, folder: Path) -> ImportedTask:
        states = []
        for path in self._states[folder]:
            try:
                states.append(shaped(sniffing.reading(path, trainer_state.FORMAT)))
            except ImportFailed as error:
                self._found.refused.append(error)
        sources = list(states)
        kept = []
        for place, task in self._others:
            if place.is_relative_to(folder) and (
                _belongs(place.relative_to(folder), task) or any(is_same(state, task) for state in states)
            ):
                sources.append(task)
            else:
                kept.append((place, task))
        self._others = kept
        if not sources:
            raise self._found.refused.pop()
        times = {task.paths[0]: task.paths[0].stat().st_mtime for task in states}
        spread = max(times.values(), default=0.0) - min(times.values(), default=0.0)

        def order(task: ImportedTask) -> tuple[object, ...]:
            # A copied folder has all its files' dates within a minute; then the longest history is the newest.
            sort, last_step = rank_of(task)
            is_final = task.paths[0].parent == folder
            return (sort, is_final, times.get(task.paths[0], 0.0) if spread > 60 else 0.0, last_step)

        sources.sort(key=order, reverse=True)
        task = joined(sources[0], sources[1:]) if len(sources) > 1 else sources[0]
        marks = checkpoint_marks([path.parent for path in self._states[folder] if path.parent != folder])
        task = with_marks(task, marks)
        settings = folder_settings(folder)
        for run in task.runs:
            run.settings = {**settings, **run.settings}
        return replace(task, name=folder_name(folder), key=f"path:{folder.resolve()}", folder=folder, reading=None)

    def _one_of_each(self) -> list[tuple[Path, ImportedTask]]:
        """What lies in one directory and tells of the same training is one task."""
        result: list[tuple[Path, ImportedTask]] = []
        for folder, task in sorted(self._others, key=lambda each: rank_of(each[1]), reverse=True):
            for index, (place, known) in enumerate(result):
                near = place == folder or place.is_relative_to(folder) or folder.is_relative_to(place)
                if near and known.format != task.format and is_same(known, task):
                    result[index] = (place, joined(known, [task]))
                    break
            else:
                result.append((folder, task))
        return result


def _belongs(place: Path, task: ImportedTask) -> bool:
    """The places at which the trainer and LLaMA-Factory write beside a state."""
    if task.format == event_file.FORMAT:
        return place.parts[:1] == ("runs",)
    return task.format == json_rows.FORMAT and not place.parts and task.paths[0].name.startswith("trainer_log.")


def _side_by_side(folder: Path, parts: list[tuple[str, Reading]]) -> Reading:
    """Keras's `train` and `validation` directories: the same tags in both, the held-out ones marked as such."""
    first = parts[0][1]

    def rows() -> Iterator[Row]:
        for part, reading in parts:
            for row in reading.rows():
                if part and names.is_evaluation(part):
                    row.values = {
                        name if names.is_evaluation(name) else f"{part}/{name}": value
                        for name, value in row.values.items()
                    }
                yield row

    return replace(
        first,
        name=folder_name(folder),
        rows=rows,
        columns=None,
        files=(),
        settings={name: value for _, reading in parts for name, value in reading.settings.items()},
        told=[sentence for _, reading in parts for sentence in reading.told],
    )


def _event_order(path: Path) -> tuple[float, str]:
    matched = _EVENT_NAME.search(path.name)
    return (float(matched[1]) if matched else 0.0, path.name)


def _is_history(task: ImportedTask, reading: Reading) -> bool:
    """Whether what was found in a folder without being asked for is a training's history: it has a loss, in more than
    a few rows, at steps or epochs that it says itself."""
    rows = sum(1 for _, record in zip(range(_LEAST_ROWS), task.records(), strict=False))
    has_loss = any("loss" in record.metrics or "eval_loss" in record.metrics for _, record in task.records())
    placed = not any(sentence.startswith("no step column: training rows") for sentence in task.told)
    return (
        has_loss
        and rows >= min(_LEAST_ROWS, 1 if reading.format == json_rows.FORMAT else _LEAST_ROWS)
        and (placed or reading.format == console.FORMAT)
    )


def _is_promising(path: Path) -> bool:
    """Whether a person would expect this file to be taken, so that a refusal is worth telling."""
    name = path.name.casefold()
    return name == "trainer_state.json" or "tfevents" in name or name.endswith(".wandb")
