"""The command line: `stepline [open] | demo | run | serve | tasks | export | import | doctor`.

Exit code 0 on success, 2 on wrong use, 1 on failure, then with one line on standard error that says what, why and what
to do; `run` ends with its child's. A traceback is shown with `--debug` only.
"""

from __future__ import annotations

import gc
import importlib.util
import io
import sys
from collections.abc import Sequence

from stepline.frozen import TRY_PARQUET, open_browsers_outside

NEEDED = ("click", "flask", "flask_sock", "msgspec", "numba", "numpy", "peewee", "psutil", "rich", "zstandard")
"""The `app` extra. A training box installs Stepline without it."""
OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""700 are usual. Loading makes objects that stay, and looking through them was a tenth of what it takes, 0.03 s."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with `arguments` (None: the process's own). Returns the exit code."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f"stepline: The app is not installed here, only what a training needs (missing: {', '.join(missing)}). "
            "Install it: pip install 'stepline[desktop]'",
            file=sys.stderr,
        )
        return 1
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A pipe on Windows or a bare locale has no letter for many a task's name.
            stream.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == [TRY_PARQUET] and len(given) == 2:
        from stepline.importers.parquet import try_reading

        return try_reading(given[1])
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    from stepline.command.line import run

    open_browsers_outside()
    return run(given)
