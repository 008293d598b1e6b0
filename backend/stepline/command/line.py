"""The commands and their words. What each does stands in the module it calls, which is loaded when it is called."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stepline import __version__
from stepline.errors import SteplineError

COMMANDS = ("open", "demo", "run", "serve", "tasks", "export", "import", "doctor")
FULL = (errno.ENOSPC, errno.EDQUOT)
NO_ROOM = SteplineError(
    "The disk is full",
    why="A file that Stepline needs could not be written",
    action="Make room, or name a home on another disk with --home DIR or STEPLINE_HOME: stepline doctor says where",
)
EXPORTS = ("jsonl", "csv", "parquet", "tensorboard")


def run(arguments: list[str]) -> int:
    """Run one command; every failure ends here, as one line on standard error. Returns the exit code."""
    debug = "--debug" in arguments
    try:
        code = stepline.main(arguments, prog_name="stepline", standalone_mode=False)
    except click.ClickException as error:
        return told(f"{error.format_message()} See: stepline --help", 2)
    except SteplineError as error:
        if debug:
            traceback.print_exc()
        return told(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return told("Interrupted.", 1)
    except Exception as error:
        if debug:
            traceback.print_exc()
        hint = "Run it again with --debug for the details, and report them with the output of `stepline doctor`."
        if isinstance(error, OSError) and error.errno in FULL:
            return told(str(NO_ROOM), 1)
        return told(f"A fault in Stepline itself: {type(error).__name__}: {error}. {hint}", 1)
    return code if isinstance(code, int) else 0


def told(line: str, code: int) -> int:
    print(f"stepline: {' '.join(line.split())}", file=sys.stderr)
    return code


class Commands(click.Group):
    """Lists the commands in the order in which a person meets them, and ends well where its reader has enough."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # click would end with 1. Python would complain once more when it closes standard output.
            sys.stdout = None
            return 0


class Place(click.Path):
    """A path. An empty one, a shell's variable that is not set, would be the folder that one stands in."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not os.fspath(value):
            self.fail("it is empty. Is a variable of the shell not set?", param, ctx)
        return super().convert(value, param, ctx)


def everywhere(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every command takes."""
    command = click.option("--debug", is_flag=True, expose_value=False, help="Show a failure's traceback.")(command)
    return click.option(
        "--home",
        type=Place(),
        help="Where the data lives; also STEPLINE_HOME.",
        callback=lambda context, _, value: value or context.find_root().params.get("home"),
    )(command)


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@everywhere
@click.version_option(__version__, message="Stepline %(version)s")
@click.pass_context
def stepline(context: click.Context, home: Path | None) -> None:
    """Watch model training: live while it runs, whole afterwards. Without a command, opens the window."""
    if context.invoked_subcommand is None:
        context.invoke(open_window, home=home, paths=())


@stepline.command("open")
@click.argument("paths", nargs=-1, type=Place())
@everywhere
def open_window(home: Path | None, paths: tuple[Path, ...] = ()) -> None:
    """Open the window, and PATHS in it: histories as `import` takes them. Where it is open, bring it forward."""
    from stepline.command import showing

    showing.open_window(home, paths)


@stepline.command()
@click.option("--max-steps", type=click.IntRange(min=2), help="Steps of each of its two runs.")
@click.option("--headless", is_flag=True, help="No window and no browser: a progress bar, and the end when it is done.")
@everywhere
def demo(home: Path | None, max_steps: int | None, headless: bool) -> None:
    """Train a small language model and watch it: about a minute, without a network."""
    from stepline.command import training

    training.demo(home, max_steps=max_steps, headless=headless)


@stepline.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--task", help="Names the task; by default the output folder does.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@everywhere
def run_command(home: Path | None, task: str | None, command: tuple[str, ...]) -> int:
    """Run a training script unchanged and record it: stepline run -- python train.py. Ends with its exit code."""
    from stepline.command import running

    return running.run(home, task, command)


@stepline.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: one that is free.")
@everywhere
def serve(home: Path | None, port: int) -> None:
    """Serve the page to browsers of this machine, and print its address. Ctrl-C ends it."""
    from stepline.command import showing

    showing.serve(home, port)


@stepline.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@everywhere
def tasks(home: Path | None, as_json: bool) -> None:
    """List the tasks."""
    from stepline.command import listing

    listing.tasks(home, as_json=as_json)


@stepline.command()
@click.argument("task")
@click.option("--format", "form", type=click.Choice(EXPORTS), default=EXPORTS[0], show_default=True)
@click.option("-o", "--output", type=Place(), help="Default: standard output. Of tensorboard a folder.")
@everywhere
def export(home: Path | None, task: str, form: str, output: Path | None) -> None:
    """Write every record of TASK, which is a name or an id."""
    from stepline.command import transfer

    transfer.export(home, task, form, output)


@stepline.command("import")
@click.argument("paths", nargs=-1, required=True, type=Place())
@click.option("--follow", is_flag=True, help="Stay, and take in what is written on. Ctrl-C ends it.")
@everywhere
def import_(home: Path | None, paths: tuple[Path, ...], follow: bool) -> int:
    """Take in other tools' training histories, and journals from elsewhere: files and folders.

    Trainer states and output folders, TensorBoard event files, CSV, JSON lines, wandb offline runs, text logs.
    Importing again adds only what is new.
    """
    from stepline.command import transfer

    return transfer.import_paths(home, paths, follow=follow)


@stepline.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--bundle", type=Place(), help="Write a zip for a bug report, without names and paths.")
@everywhere
def doctor(home: Path | None, as_json: bool, bundle: Path | None) -> None:
    """Say what Stepline finds on this machine, what is wrong and how to mend it."""
    from stepline.command import health

    health.doctor(home, as_json=as_json, bundle=bundle)
