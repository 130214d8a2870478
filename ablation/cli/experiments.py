"""`ablation list`: the experiments that there are, by what their files say; none of them is run."""

from __future__ import annotations

import click
from rich.text import Text

from ablation.cli.console import console, say, say_line, table
from ablation.core.text import listing
from ablation.experiment.files import FOLDER, Outline, claims, outlines


@click.command("list")
def experiments() -> None:
    """List the experiments in experiments/: names and questions, as they stand in the files. None is run.

    \b
    Example:
      ablation list
    """
    every = outlines()
    if not every:
        console.print(f"no experiment in {FOLDER}/; start in the project's folder")
        return
    made = table("experiment", "question")
    for outline in every:
        made.add_row(_name(outline), _question(outline))
    console.print(made)
    if not all(outline.is_literal for outline in every):
        say("* the name of its file: its own name is computed when the file runs, and a list runs none", "dim")
    for name, files in claims(every).items():
        means = f"it means {files[0]}" if files[0].stem == name else "give the path of one of them"
        say_line(f"{name}: {listing(map(str, files))} go by this name; {means}", "yellow")


def _name(outline: Outline) -> Text:
    if not outline.is_literal:
        return Text(f"{outline.name} *")
    file = "" if outline.name == outline.path.stem else f" ({outline.file})"
    return Text.assemble(outline.name, (file, "dim"))


def _question(outline: Outline) -> Text:
    return Text(f"cannot be read: {outline.problem}", "red") if outline.problem else Text(outline.question)
