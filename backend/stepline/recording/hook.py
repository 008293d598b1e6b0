"""What happens when transformers is imported, in a process that knows of Stepline.

`report_to="stepline"` is to work once stepline is imported, and `stepline run` is to give every Trainer the callback;
yet importing stepline must load neither transformers nor torch. So a finder stands first on `sys.meta_path`, lets the
others find the two modules, and adds to each right after it was executed. Where they were imported before, it is done
at once. Standard library only.
"""

from __future__ import annotations

import functools
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

After = Callable[[ModuleType], None]

REPORTING = "transformers.integrations.integration_utils"
TRAINER = "transformers.trainer"


class _AfterImport:
    """Calls a function with a module right after its first import.

    Nothing is derived from `importlib.abc`, whose import takes as long as the rest of `import stepline`: 8 ms.
    """

    def __init__(self) -> None:
        self.waiting: dict[str, After] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.waiting:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: importlib.machinery.ModuleSpec | None = find(fullname, path, target)
            if spec is not None:
                self._follow(spec)
                return spec
        return None

    def _follow(self, spec: importlib.machinery.ModuleSpec) -> None:
        loader: Any = spec.loader
        if not hasattr(loader, "exec_module"):
            return
        execute = loader.exec_module

        @functools.wraps(execute)
        def exec_module(module: ModuleType) -> None:
            execute(module)
            after = self.waiting.pop(spec.name, None)
            if after is not None:
                after(module)

        loader.exec_module = exec_module


_finder = _AfterImport()


def after_import(name: str, act: After) -> None:
    """Calls `act` with the module `name`: now, if it is there, else when it is first imported."""
    module = sys.modules.get(name)
    if module is not None:
        act(module)
        return
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    _finder.waiting[name] = act


def offer_reporting() -> None:
    """Makes `TrainingArguments(report_to="stepline")` known to transformers."""
    after_import(REPORTING, _add_reporting)


def attach_to_trainers(**options: Any) -> None:
    """Gives each `transformers.Trainer` of this process the callback, once; `options` are SteplineCallback's."""
    after_import(TRAINER, functools.partial(_wrap_trainer, options=options))


def _add_reporting(module: ModuleType) -> None:
    from stepline.recording.callback import SteplineCallback

    known = getattr(module, "INTEGRATION_TO_CALLBACK", None)
    if isinstance(known, dict):
        known.setdefault("stepline", SteplineCallback)


def _wrap_trainer(module: ModuleType, options: dict[str, Any]) -> None:
    trainer = module.Trainer
    build = trainer.__init__

    @functools.wraps(build)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        try:
            _add_callback(self, options)
        except Exception as error:
            print(f"Stepline does not watch this training: {error!r}. It runs as without it.", file=sys.stderr)

    trainer.__init__ = __init__


def _add_callback(trainer: Any, options: dict[str, Any]) -> None:
    from stepline.recording.callback import SteplineCallback

    if any(isinstance(each, SteplineCallback) for each in trainer.callback_handler.callbacks):
        return
    callback = SteplineCallback(**options)
    trainer.add_callback(callback)
    # The event has passed when a trainer is built.
    callback.on_init_end(trainer.args, trainer.state, trainer.control, model=trainer.model)
