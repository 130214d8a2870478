"""The `ablation` command: the table of commands, and what is the same for all of them.

    runs = sweep(experiment)               # trains only what is missing
    results = Results.load(experiment)     # tidy: one row per run
    effects = compare(results)             # the declared test, corrected for multiplicity
    write_report(experiment, results, effects)

A command is a file beside this one and a line in `COMMANDS`. Its module is imported when the command is called or its
own help is shown, so this module loads click alone.

What its exit status means: `ablation.core.errors.EXITS`.
"""

from __future__ import annotations

import codecs
import io
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import click

from ablation import __version__
from ablation.cli.messages import broken, columns_of, print_message
from ablation.cli.signals import ended_by_signals, exit_code
from ablation.core.errors import AblationError, Terminated, TryAgainError
from ablation.core.safe import message_lines
from ablation.core.text import to_ascii

COMMANDS = {
    "list": ("experiments", "List the experiments in experiments/."),
    "check": ("check", "Look at a data set before training: bad files, copies, balance, sizes, mean and std."),
    "new": ("new", "Write experiments/NAME.py for the images at PATH, with the reason for each choice."),
    "plan": ("plan", "Show what an experiment would train, and what it could show."),
    "preview": ("preview", "Draw what each recipe makes of a photograph: several draws, and what was changed."),
    "run": ("run", "Train the runs that are missing, publish them to MLflow, print the verdicts."),
    "status": ("status", "Show how the runs stand: finished, diverged, altered, running, failed, planned."),
    "compare": ("compare", "Compare each recipe with the baseline: the answer, differences, intervals, verdicts."),
    "report": ("report", "Write the report: the answer, tables and pictures, as HTML and PDF and as data."),
    "figures": ("figures", "Write each figure of the report as SVG, PDF and PNG, for a paper or slides."),
    "verify": ("verify", "Compute every number of runs and report anew, and say which differ."),
    "export": ("export", "Pack what a stranger needs to verify an experiment without its images."),
    "sync": ("sync", "Publish to MLflow what is not there yet, and repair what was changed there."),
    "ui": ("ui", "Start MLflow's own pages on 127.0.0.1, with the right store; Ctrl-C ends them."),
    "summary": ("summary", "Show a network layer by layer: shapes, parameters, MACs, memory."),
    "doctor": ("doctor", "Look at this machine: software, devices, memory, disk, and how fast it trains."),
    "cache": ("cache", "List and remove the cached images."),
}
"""name -> (module of `ablation.cli` with a click command of the module's name, a line of help), in the order of use."""


class Commands(click.Group):
    """A group whose commands are imported when they are called; Ctrl-C ends each of them alike."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and return the command; None for a name that is not in the table."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"ablation.cli.{module}"), module)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table itself, which imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read what stands before the command's name."""
        with _quoting_safely():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. On Ctrl-C what was done is kept, and the status is 130; on SIGTERM 143."""
        try:
            with _quoting_safely():
                return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            ended = "terminated" if isinstance(interrupt, Terminated) else "stopped"
            with suppress(OSError):  # of `| tee log`, which Ctrl-C has ended as well
                click.echo(f"\n{_going_on(ended, sys.argv[1:], columns_of(sys.stdout))}")
            sys.exit(exit_code(interrupt))


def _going_on(ended: str, arguments: Sequence[str], columns: int | None) -> str:
    """What is said at the end of a command that was stopped; the command to copy is on a line of its own if need be."""
    said, again = f"{ended}; the same command goes on:", message_lines(shlex.join(["ablation", *arguments]))
    fits = columns is None or len(f"{said} {again}") <= columns
    return f"{said} {again}" if fits else f"{said}\n  {again}"


@contextmanager
def _quoting_safely() -> Iterator[None]:
    """What click says of a command line quotes what was typed: as text that controls no terminal."""
    try:
        yield
    except click.ClickException as error:
        vars(error)["message"] = message_lines(error.message)  # final to type checkers
        lines = broken(error.format_message(), columns_of(sys.stderr), begun=len("Error: "))
        vars(error)["format_message"] = lambda: "\n".join(lines)
        raise


@click.group(
    cls=Commands,
    commands={name: click.Command(name) for name in COMMANDS},  # for "did you mean"
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="ablation %(version)s")
def cli() -> None:
    """Find out, with evidence, which image augmentation really helps.

    EXPERIMENT is a name in experiments/ or the path of a file.

    \b
    Example:
      ablation plan quickstart      what it would train
      ablation run quickstart       train what is missing, then the verdicts
      ablation report quickstart    reports/quickstart/report.html and more
    """


def main() -> None:
    """Run the command line and exit: mistakes are printed as such, never as a traceback."""
    _spell_what_cannot_be_encoded()
    with ended_by_signals():
        _main()


def _main() -> None:
    try:
        cli.main(prog_name="ablation")
    except AblationError as error:
        for problem in error.problems:
            _print_error(str(problem))
        sys.exit(error.exit_code)
    except OSError as error:
        from ablation.core.files import (
            disk_full,
        )  # and what locks files with it, which a command that is well may not need

        if full := disk_full(error):
            _print_error(f"{full}; make room, then the same command goes on")
            sys.exit(TryAgainError.exit_code)
        _print_error(f"{error.filename or 'writing'}: {error.strerror or error}")  # as of a folder that is read-only
        sys.exit(1)


def _print_error(text: str) -> None:
    print_message("error", text, "red")


def _spell_what_cannot_be_encoded() -> None:
    """Where a terminal or a pipe cannot show a character (LC_ALL=C and the like), write its like in ASCII."""
    codecs.register_error("ablation.spelled", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="ablation.spelled")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return to_ascii(error.object[error.start : error.end]), error.end


if __name__ == "__main__":
    main()
