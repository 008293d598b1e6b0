"""The patterns of text logs, each a function from a line to what it says. Pure; docs/importing.md lists them.

1. a dictionary: `{'loss': 0.93, 'learning_rate': 1e-4, 'epoch': 2.9}` (the Hugging Face trainer, axolotl, fairseq)
2. build-nanoGPT: `250 train 6.12`, `250 val 6.11`, `250 hella 0.25`
3. llm.c's main.log: `s:250 trl:6.12`, `s:250 tel:6.11`, `s:250 eval:0.25`
4. a progress bar with figures behind it: tqdm (Lightning), Keras
5. Marian: `Ep. 1 : Up. 500 : Sen. 31,872 : Cost 9.65 …`, `[valid] Ep. 1 : Up. 500 : cross-entropy : 120.3 : new best`
6. names and values: `iter 10: loss 3.18, time 35.78ms`, `step=10, lr=[1e-05]`, `Epoch: [1][10/100]  Loss 6.9 (7.0)`,
   `| epoch 1 | 200/2983 batches | loss 6.9`, `lm loss: 9.1E+00`
7. boosted trees: `[10]	train-logloss:0.51	eval-logloss:0.62` (XGBoost), `[10]	training's l2: 0.5` (LightGBM),
   `10:	learn: 0.51	test: 0.62	total: 31ms` (CatBoost)
8. Darknet: `100: 2.5, 3.1 avg loss, 0.001 rate, 4.2 seconds, 6400 images`
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from stepline.importers import names
from stepline.importers.imported import Value
from stepline.importers.values import number

LINE_CHARS = 2_000
DICTIONARY_CHARS = 50_000
"""A line of figures is short, TRL's longest dictionary some 4,000; a longer one is a printed tensor or a sample."""

# Megatron prints "number of nan iterations: 0".
_NUM = r"[-+]?(?:\d+(?:,\d{3})*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf(?:inity)?)\b(?! iterations)"
_ITEM = re.compile(
    rf"""['"](?P<name>[^'"]{{1,200}})['"]\s*:\s*(?:tensor\(|np\.float\d+\(|array\()?\[?(?:(?P<number>{_NUM})|(?P<quote>['"])(?P<words>[^'"]*)(?P=quote)|\w+)""",
    re.IGNORECASE,
)
_TRIPLE = re.compile(
    rf"^\s*(?P<step>\d{{1,12}})\s+(?P<name>[A-Za-z_]\w{{0,40}})\s+(?P<value>{_NUM})\s*$", re.IGNORECASE
)
_TRIPLE_NAMES = {"train": "train_loss", "val": "val_loss", "valid": "val_loss", "test": "test_loss"}
_LLMC = re.compile(r"^\s*s:(?P<step>\d{1,12})((?:\s+[a-z_]+:\S+)+)\s*$")
_LLMC_NAMES = {"trl": "train_loss", "tel": "val_loss"}
_MARIAN = re.compile(r"(?P<valid>\[valid\] )?Ep\. (?P<epoch>[\d.]+) : Up\. (?P<step>[\d,]+) : (?P<rest>.+)$")
_MARIAN_PART = re.compile(rf"(?P<name>Sen\.|Cost|gNorm|L\.r\.) (?P<value>{_NUM})", re.IGNORECASE)
_MARIAN_VALID = re.compile(rf"(?P<name>[\w.-]+) : (?P<value>{_NUM})(?: : |$)", re.IGNORECASE)
_MARIAN_NAMES = {"sen.": "sentences", "cost": "cost", "gnorm": "grad_norm", "l.r.": "learning_rate"}
_FAIRSEQ = re.compile(r"\| INFO \| (?:fairseq\.)?\w*train \| epoch \d+ \| ")
_BAR = re.compile(
    r"(?P<percent>\d{1,3})%\|[^|]*\|\s*(?P<step>\d+)/(?P<total>\d+)\s*\[(?P<inside>[^\]]*)\]?(?P<after>.*)"
)
_KERAS = re.compile(r"^\s*(?P<step>\d+)/(?P<total>\d+)\s*(?:\[[=>.\s]*\]|[━╸\s]{5,})\s*(?:-\s*)?(?P<after>.*)$")
_BOOSTED = re.compile(
    rf"^\s*(?:\[[\d:]+\]\s*)?\[(?P<step>\d{{1,9}})\](?P<rest>(?:\t[^\t]{{1,120}}?:\s?(?:{_NUM})(?:\s?\+\s?[\d.e+-]+)?)+)\s*$"
)
_BOOSTED_PART = re.compile(rf"\t(?P<name>[^\t]{{1,120}}?):\s?(?P<value>{_NUM})(?=\s|\+|$)", re.IGNORECASE)
_CATBOOST = re.compile(rf"^\s*(?P<step>\d{{1,9}}):\s+learn: (?P<learn>{_NUM})(?:\s+test: (?P<test>{_NUM}))?\s")
_DARKNET = re.compile(
    rf"^\s*(?P<step>\d{{1,9}}):\s+(?P<loss>{_NUM}),\s+(?P<avg_loss>{_NUM}) avg(?: loss)?,\s+(?P<rate>{_NUM}) rate,"
    rf"\s+(?P<seconds>{_NUM}) seconds,\s+(?P<images>{_NUM}) images",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^[\s=*#-]*epoch:?\s*\[?(\d{1,7})(?:\s*/\s*\d+)?\]?[\s:=*#.-]*$", re.IGNORECASE)
_EPOCH_PART = re.compile(
    r"epoch:?\s*(?:\((?P<mode>\w+)\))?\s*\[\s*(?P<epoch>\d+)\s*\]\s*\[\s*(?P<step>\d+)\s*/\s*(?P<total>\d+)\s*\]",
    re.IGNORECASE,
)
_ITER_PART = re.compile(r"iter\s*\((?P<mode>\w+)\)\s*\[\s*(?P<step>\d+)\s*/\s*(?P<total>\d+)\s*\]", re.IGNORECASE)
_TORCH_PART = re.compile(
    r"(?:epoch|train|test):?\s*(?P<epoch>\d+)\s*[:|]?\s*\[?\s*(?P<step>\d+)\s*/\s*(?P<total>\d+)"
    r"(?:\s*\(\s*[\d.]+%\s*\)\]?| batches| loss|\s*\])",
    re.IGNORECASE,
)
_COUNTED = re.compile(r"第\s*(\d+)\s*(?:个\s*)?(轮|步)")
_STEP_HEADING = re.compile(
    r"\[\s*(?:step|batch)\s*[=:]\s*(\d+)(?:\s*/\s*(\d+))?(?:\s*,\s*epoch\s*[=:]\s*\d+)?\s*\]\s*:?\s*$", re.IGNORECASE
)
_BELOW = re.compile(
    rf"^\s+(?P<name>[A-Za-z][\w./ ()%-]{{0,120}}?)\s*[:=]\s*(?P<value>{_NUM})\s*[%\w/]{{0,8}}\s*$", re.IGNORECASE
)
_ESPNET = re.compile(r"^.*?\b(?P<epoch>\d+)epoch:(?P<mode>\w+):\s*\d+-(?P<step>\d+)batch:")
_BRACKETED = re.compile(r"\b(epoch|step|iter|iteration|batch)\s*:?\s*\[\s*(\d+)\s*/\s*(\d+)\s*\]", re.IGNORECASE)
_PAIR = re.compile(
    r"(?<![A-Za-z0-9_])(?P<name>[A-Za-z_\u4e00-\u9fff][\w.@%/()-]{0,80}(?: [A-Za-z_(][\w.@%/()-]{0,80}){0,5}?)"
    r"\s*(?P<sep>[:=：]\s*|\s)"
    rf"\[?(?P<value>{_NUM})(?P<slash>\s?/\s?\d+)?(?!\d*:\d)"
    r"(?P<unit>\s?(?:%|ms\b|s\b|(?:it|tok|samples)/s(?:ec)?\b(?!\s*[:=])|GiB|GB|MiB|MB|[kKMB]\b))?",
    re.IGNORECASE,
)
_PREFIX = re.compile(
    r"^(?:\s|\[?\d{4}[-/]\d\d[-/]\d\d[ T][\d:.,]+\]?"
    r"|\d\d/\d\d/\d{4} [\d:]+|\[(?!\s*(?:epoch|step|iter))[^\]]{0,80}\]|\(?\w{1,40} pid=[^)]{0,40}\)"
    r"|INFO|WARNING|DEBUG|ERROR"
    r"|[\w.]{0,80}\[\w+\.py:\d+\]|[\w.]{0,80}\.\w+:\d+|root|__main__|[-|:>]|\d+:(?=\s))+",
    re.IGNORECASE,
)
_TUTORIAL = re.compile(r"^\s*\[\s*(?P<epoch>\d+)\s*,\s*(?P<step>\d+)\s*\]")
_NOISE = frozenset(
    {"info", "root", "warning", "debug", "train:", "mean", "avg:", "and", "with", "at", "is", "the", "of", "to", "was"}
)
_HELD_OUT = re.compile(r"\b(val(?:id(?:ation)?)?|eval(?:uation)?|test|dev)\b", re.IGNORECASE)
_STEPS = frozenset({"step", "steps", "iter", "iteration", "global_step", "it", "update", "updates", "步数", "步"})
_EPOCHS = frozenset(map(names.folded, names.EPOCH)) | {"train_epoch", "test_epoch"}
_PLACES = frozenset(map(names.folded, names.STEP))
_DROPPED = frozenset({"v_num"})
_SUMMARIES = ("best", "final", "lowest", "minimum", "min_")
_TELLING = frozenset({"loss", "perplexity", "ppl", "reward", "bpb", "bpc", "nll"})


@dataclass(slots=True)
class Bar:
    """A progress bar: where it stands, and the figures shown behind it. `is_within_epoch`: it counts an epoch's batches
    or the epochs, not the training's steps."""

    step: int
    total: int
    epoch: float | None = None
    is_within_epoch: bool = False
    values: dict[str, Value] = field(default_factory=dict)


def figures(words: str) -> tuple[dict[str, Value], bool] | None:
    """The figures of a line, and whether they were printed as a dictionary; None where it has none."""
    if "{" in words and len(words) <= DICTIONARY_CHARS and (found := _dictionary(words)):
        return found, True
    if len(words) > LINE_CHARS or not (any(letter.isdigit() for letter in words) or "nan" in words.casefold()):
        return None
    if matched := _TRIPLE.match(words):
        name = _TRIPLE_NAMES.get(matched["name"].casefold(), matched["name"])
        return {"step": float(matched["step"]), name: _number(matched["value"])}, False
    if matched := _LLMC.match(words):
        values: dict[str, Value] = {"step": float(matched["step"])}
        for part in matched[2].split():
            name, _, value = part.partition(":")
            if (found_number := number(value)) is not None:
                values[_LLMC_NAMES.get(name, name)] = found_number
        return (values, False) if len(values) > 1 else None
    if boosted := _boosted(words):
        return boosted, False
    if matched := _DARKNET.match(words):
        return {name: _number(value) for name, value in matched.groupdict().items()}, False
    if "Up. " in words and (matched := _MARIAN.search(words)):
        return _marian(matched), False
    found = _pairs(words)
    return (found, False) if found else None


def progress(words: str) -> Bar | None:
    """A progress bar, of tqdm's or Keras's form."""
    if len(words) > LINE_CHARS:
        return None
    if "%|" in words and (matched := _BAR.search(words)):
        values = _tail(f"{matched['inside']} , {matched['after']}")
        label = words[: matched.start()].strip(" :")
        epoch = _HEADING.match(label)
        return Bar(
            int(matched["step"]),
            int(matched["total"]),
            epoch=float(epoch[1]) if epoch else None,
            is_within_epoch=label.casefold().startswith(("epoch", "validation", "testing", "sanity")),
            values=values if is_telling(values) else {},
        )
    if "/" in words and (matched := _KERAS.match(words)):
        bar = Bar(int(matched["step"]), int(matched["total"]), is_within_epoch=True)
        if bar.step == bar.total:
            values = _tail(matched["after"].replace(" - ", " , "))
            bar.values = values if is_telling(values) else {}
        return bar
    return None


def epoch_heading(words: str) -> float | None:
    """The epoch of a line that says nothing else: `Epoch 3/10`."""
    matched = _HEADING.match(words) if len(words) < 80 else None
    return float(matched[1]) if matched else None


def step_heading(words: str) -> tuple[float, int] | None:
    """(step, total or 0) of a line that ends with them alone, OLMo's `… [step=10/739328]` and Composer's
    `[batch=10/4800]:`: the figures stand below."""
    matched = _STEP_HEADING.search(words) if len(words) < 200 else None
    return (float(matched[1]), int(matched[2] or 0)) if matched else None


def figure_below(words: str) -> tuple[str, float] | None:
    """The one figure of a line below such a heading."""
    matched = _BELOW.match(words) if len(words) < 200 else None
    return (matched["name"], _number(matched["value"].replace(",", ""))) if matched else None


def looks_like_figures(words: str) -> bool:
    """Whether a line that was not understood seems to print a loss."""
    return len(words) <= LINE_CHARS and re.search(r"\bloss\b\D{0,12}\d", words, re.IGNORECASE) is not None


def is_telling(values: dict[str, Value]) -> bool:
    return any(
        value.__class__ is float and (names.is_loss(name) or not _TELLING.isdisjoint(names.folded(name).split("_")))
        for name, value in values.items()
    )


def _dictionary(words: str) -> dict[str, Value] | None:
    begin = words.find("{")
    end = words.rfind("}")
    if begin < 0 or end < begin:
        return None
    values: dict[str, Value] = {}
    for item in _ITEM.finditer(words, begin, end):
        found = number(item["number"] or item["words"] or "")
        if found is not None:
            values[item["name"]] = found
        elif item["words"] and len(item["words"]) < 200:
            values[item["name"]] = item["words"]
    known = is_telling(values) or names.is_closing(values)
    held_out = any(name.startswith(("eval_", "val_", "test_")) for name in values) and (
        "epoch" in values or "step" in values
    )
    return values if known or held_out else None


def _boosted(words: str) -> dict[str, Value] | None:
    if matched := _CATBOOST.match(words):
        values: dict[str, Value] = {"step": float(matched["step"]), "train_loss": _number(matched["learn"])}
        return values if matched["test"] is None else {**values, "test_loss": _number(matched["test"])}
    if matched := _BOOSTED.match(words):
        parts = {part["name"].strip(): _number(part["value"]) for part in _BOOSTED_PART.finditer(matched["rest"])}
        return {"step": float(matched["step"]), **parts}
    return None


def _marian(matched: re.Match[str]) -> dict[str, Value]:
    values: dict[str, Value] = {"epoch": _number(matched["epoch"]), "step": _number(matched["step"].replace(",", ""))}
    if matched["valid"]:
        if found := _MARIAN_VALID.match(matched["rest"]):
            values[f"val/{found['name'].replace('-', '_')}"] = _number(found["value"])
        return values
    for part in _MARIAN_PART.finditer(matched["rest"]):
        values[_MARIAN_NAMES[part["name"].casefold()]] = _number(part["value"])
    return values


def _pairs(words: str) -> dict[str, Value] | None:
    values: dict[str, Value] = {}
    rest = " ".join(words.split())
    if "第" in rest:
        rest = _COUNTED.sub(lambda each: f"{'epoch' if each[2] == '轮' else 'step'} {each[1]} , ", rest)
    if part := _ESPNET.match(rest):
        values["epoch"], values["step"] = float(part["epoch"]), float(part["step"])
    elif part := _EPOCH_PART.search(rest) or _TORCH_PART.search(rest):
        values["epoch"], values["step"] = float(part["epoch"]), f"{part['step']}/{part['total']}"
    elif part := _ITER_PART.search(rest):
        # An evaluation counts its own batches there; it stands at the step before it.
        if not _HELD_OUT.fullmatch(part["mode"]):
            values["step"] = f"{part['step']}/{part['total']}"
    elif part := _TUTORIAL.search(rest):
        values["epoch"], values["step"] = float(part["epoch"]), float(part["step"])
    mode = part.groupdict().get("mode") if part else None
    if part:
        rest = (
            f"{rest[: part.start()]} , {rest[part.end() :]}"
            if not part[0].casefold().endswith("loss")
            else (f"{rest[: part.start()]} , loss {rest[part.end() :]}")
        )
    rest = _BRACKETED.sub(r"\1 \2/\3 ,", rest)
    rest = _PREFIX.sub("", rest, count=1)
    label = rest[: _first_pair(rest)]
    # fairseq tells each epoch's means beside its steps.
    prefix = (
        "train_epoch/"
        if _FAIRSEQ.search(words)
        else "val/"
        if (mode and _HELD_OUT.fullmatch(mode)) or _HELD_OUT.search(label)
        else ""
    )
    found = _tail(rest)
    starts_with_step = False
    for index, (name, value) in enumerate(found.items()):
        fold = names.folded(name)
        if fold in _EPOCHS:
            values.setdefault("epoch", value)
        elif fold in _STEPS:
            # DeepSpeed: `epoch=0/micro_step=20/global_step=10, RunningAvgSamplesPerSec=12.3`.
            before = {names.folded(each) for each in [*found][:index]}
            starts_with_step = starts_with_step or before <= {"epoch", "micro_step"}
            values.setdefault("step", value)
        else:
            is_plain = not prefix or names.is_evaluation(name) or fold in _PLACES
            values[name if is_plain else prefix + name] = value
    if "num_updates" in values and "epoch" in values:
        # fairseq's step within the epoch stands before its own.
        values["step"] = values.pop("num_updates")
    metrics = [name for name in values if name not in ("epoch", "step")]
    if metrics and (is_telling(values) or starts_with_step or (part is not None and len(metrics) > 1)):
        return values
    return None


def _first_pair(words: str) -> int:
    matched = _PAIR.search(words)
    if not matched:
        return 0
    return matched.start("sep")


def _tail(words: str) -> dict[str, Value]:
    """Names and their values in a line, in order; of a value and its average in brackets the value."""
    values: dict[str, Value] = {}
    for matched in _PAIR.finditer(words):
        name = _name(matched["name"], by_colon=matched["sep"].strip() != "")
        if not name or name in values or name in _DROPPED or names.folded(name).startswith(_SUMMARIES):
            continue
        value = matched["value"]
        found = number(value.rstrip(","))
        if found is None:
            continue
        if matched["slash"] and names.folded(name) in _STEPS | {"batch"}:
            values[name] = f"{value}{matched['slash'].replace(' ', '')}"
        else:
            values[name] = found
    return values


def _name(words: str, *, by_colon: bool) -> str:
    words = words[words.rfind(")") + 1 :] if words.count(")") > words.count("(") else words
    parts = words.strip("-|. ").split()
    while parts and (parts[0].casefold() in _NOISE or parts[-1].casefold() in _NOISE):
        parts = parts[1:] if parts[0].casefold() in _NOISE else parts[:-1]
    suffixes = [" ".join(parts[-count:]) for count in range(min(len(parts), 4), 0, -1)]
    for suffix in suffixes:
        if names.folded(suffix) in _STEPS or names.folded(suffix) in _EPOCHS:
            return suffix
    for suffix in suffixes:
        if not _TELLING.isdisjoint(names.folded(suffix).split("_")):
            return suffix
    return " ".join(parts[-5:] if by_colon else parts[-2:])


def _number(words: str) -> float:
    found = number(words)
    return 0.0 if found is None else found
