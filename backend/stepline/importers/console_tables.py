"""Tables that a tool prints into its log: figures whose names stand in other lines.

1. boxes of Stable-Baselines3: `|    loss    | 0.51 |` below `| train/  |  |`, a row a box
2. Ultralytics: a heading `Epoch GPU_mem box_loss …`, then a progress bar with the epoch's figures before it; and below
   `Class Images Instances Box(P R mAP50 mAP50-95)` the line `all …` of the evaluation
3. YOLOv5's `results.txt`, without a heading: `0/299 3.23G` and thirteen figures
4. spaCy: a heading `E  #  LOSS TOK2VEC …`, a line of dashes as wide as its columns, a row a line
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepline.importers.imported import Row, Value
from stepline.importers.values import number

_BOX_LINE = re.compile(r"^\|\s+(?P<name>[\w./ -]{1,80}?)\s+\|\s+(?P<value>\S{0,30})\s*\|$")
_BOX_EDGE = re.compile(r"^-{10,}$")
_HEADING = re.compile(r"^\s*Epoch\s+GPU_mem\s+(?P<columns>\S.*)$", re.IGNORECASE)
_FIGURES = re.compile(r"^\s*(?P<epoch>\d+)/(?P<total>\d+)\s+(?P<cells>[\d.].*?):?\s*(?P<percent>\d{1,3})%")
_EVALUATED = re.compile(r"^\s*Class\s+Images\s+\S+\s+(?:Box\()?P\s+R\s+mAP50\s+mAP50-95")
_EVALUATION = ("metrics/precision(B)", "metrics/recall(B)", "metrics/mAP50(B)", "metrics/mAP50-95(B)")
_ALL = re.compile(r"^\s*all\s+\d+\s+\d+((?:\s+[\d.eE-]+){4,})\s*$")
_BAR_COLUMNS = frozenset({"Instances", "Size", "GPU_mem", "labels", "targets", "img_size"})
_OLD_LOSSES = {"box": "box_loss", "obj": "obj_loss", "cls": "cls_loss", "total": "total_loss"}
_RESULTS = re.compile(r"^\s*(?P<epoch>\d+)/\d+\s+[\d.]+G(?P<cells>(?:\s+(?:[\d.]+(?:e[+-]?\d+)?|nan)){13})\s*$")
_RESULT_COLUMNS = (
    "train/box_loss", "train/obj_loss", "train/cls_loss", "train/total_loss", "", "", "metrics/precision",
    "metrics/recall", "metrics/mAP_0.5", "metrics/mAP_0.5:0.95", "val/box_loss", "val/obj_loss", "val/cls_loss",
)  # fmt: skip
_SPACY_HEADING = re.compile(r"^E\s+#\s+\S.*$")
_DASHES = re.compile(r"^-{3}(\s+-{2,})+\s*$")


class PrintedTables:
    """What lines before have said of the tables."""

    def __init__(self) -> None:
        self._box: dict[str, Value] = {}
        self._group = ""
        self._columns: list[str] = []
        self._epoch: float | None = None
        self._evaluated = False
        self._heading = ""
        self._spacy: list[str] = []

    def rows(self, words: str) -> Iterator[Row] | None:
        """The rows that a line ends, or None where the line belongs to no table."""
        if (found := self._of_spacy(words)) is not None:
            return found
        if words[:1] in "|-":
            return self._of_box(words)
        if matched := _RESULTS.match(words):
            figures = _numbers(zip(_RESULT_COLUMNS, matched["cells"].split(), strict=True))
            figures.pop("", None)
            return iter([Row({"epoch": float(matched["epoch"]), **figures})])
        if matched := _HEADING.match(words):
            self._columns = [_OLD_LOSSES.get(name, name) for name in matched["columns"].split()]
            return iter(())
        if self._columns and (matched := _FIGURES.match(words)):
            return self._of_bar(matched)
        if _EVALUATED.match(words):
            self._evaluated = True
            return iter(())
        if self._evaluated and (matched := _ALL.match(words)):
            self._evaluated = False
            values = zip(_EVALUATION, matched[1].split(), strict=False)
            place = {} if self._epoch is None else {"epoch": self._epoch}
            return iter([Row({**place, **_numbers(values)}, kind="evaluation")])
        return None

    def _of_spacy(self, words: str) -> Iterator[Row] | None:
        if _SPACY_HEADING.match(words):
            self._heading, self._spacy = words, []
            return iter(())
        if self._heading and _DASHES.match(words):
            spans = [matched.span() for matched in re.finditer(r"-+", words)]
            ends = [*(begin for begin, _ in spans[1:]), len(self._heading)]
            self._spacy = [self._heading[begin:end].strip() for (begin, _), end in zip(spans, ends, strict=True)]
            self._heading = ""
            return iter(())
        cells = words.split()
        if not self._spacy or len(cells) != len(self._spacy) or any(number(cell) is None for cell in cells):
            self._spacy = []
            return None
        epoch, step, *figures = cells
        values = _numbers(zip(self._spacy[2:], figures, strict=True))
        return iter([Row({"epoch": number(epoch) or 0.0, "step": number(step) or 0.0, **values})])

    def _of_box(self, words: str) -> Iterator[Row] | None:
        if _BOX_EDGE.match(words):
            box, self._box, self._group = self._box, {}, ""
            return iter([Row(box)] if box else [])
        matched = _BOX_LINE.match(words)
        if matched is None:
            return None
        if not matched["value"]:
            self._group = matched["name"]
        elif (found := number(matched["value"])) is not None:
            self._box[f"{self._group}{matched['name']}"] = found
        return iter(())

    def _of_bar(self, matched: re.Match[str]) -> Iterator[Row] | None:
        cells = matched["cells"].split()
        if len(cells) != len(self._columns) + 1:
            return None
        if matched["percent"] != "100" or self._epoch == float(matched["epoch"]):
            return iter(())
        self._epoch = float(matched["epoch"])
        figures = [
            (name, cell) for name, cell in zip(self._columns, cells[1:], strict=True) if name not in _BAR_COLUMNS
        ]
        values = _numbers((f"train/{name}" if name.endswith("_loss") else name, cell) for name, cell in figures)
        return iter([Row({"epoch": self._epoch, **values})])


def _numbers(cells: Iterator[tuple[str, str]] | zip[tuple[str, str]]) -> dict[str, Value]:
    found = ((name, number(cell)) for name, cell in cells)
    return {name: value for name, value in found if value is not None}
