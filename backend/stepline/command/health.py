"""`stepline doctor`: what is found on this machine, what is wrong with it, and how to mend it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from stepline.command import checks, report
from stepline.command.checks import Check
from stepline.command.homes import answer, say
from stepline.errors import SteplineError


def doctor(path: Path | None, *, as_json: bool, bundle: Path | None) -> None:
    """Print what was found, and write it to the zip `bundle`, made unrecognisable. Raises SteplineError after it where
    something is wrong."""
    found = list(checks.look(path))
    if as_json:
        answer([asdict(check) for check in found])
    else:
        draw(found)
    if bundle is not None:
        report.write(bundle, found, path)
        say(f"{bundle} is written. Names, paths and texts of yours were taken out; look into it before you send it.")
    wrong = [check.subject for check in found if check.state == "wrong"]
    if wrong:
        raise SteplineError(f"Wrong: {', '.join(wrong)}", action="What to do stands beside each")


def draw(found: list[Check]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    marks = {"well": "[green]well [/]", "note": "[yellow]note [/]", "wrong": "[red]wrong[/]"}
    for check in found:
        console.print(f"{marks[check.state]}  {check.subject:<9}", end=" ")
        console.print(check.told, markup=False)
        if check.mend:
            console.print(f"{'':17}→ {check.mend}", markup=False)
