"""`ablation summary MODEL`: a network's layers, and what they add up to, as a table or as CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click
from rich.text import Text

from ablation.cli.console import PlainTable, console, say, say_line
from ablation.cli.plan_cost import macs
from ablation.cli.sections import show_table
from ablation.core import own_modules
from ablation.core.files import atomic
from ablation.core.safe import csv_text
from ablation.core.text import byte_size
from ablation.experiment.files import FOLDER
from ablation.models.freezing import layer_count
from ablation.report.section import Column, Table
from ablation.training.cost.counts import Counts, ModelConfig, inspect_model
from ablation.training.cost.layers import Row, rows

WORDS = (
    "1 MAC (a multiplication and an addition) = 2 FLOPs. Papers, and users of the package thop, often write 'FLOPs' for"
    " MACs; thop also counts normalisation and pooling, and no products of attention."
)
COLUMNS = ("name", "type", "output", "times", "parameters", "macs", "thop")


@click.command()
@click.argument("model", metavar="MODEL")
@click.option("--image-size", type=click.IntRange(min=1), default=224, show_default=True, help="Side of an image.")
@click.option("--classes", type=click.IntRange(min=1), default=1000, show_default=True, help="How many it tells apart.")
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True, help="For activation memory.")
@click.option(
    "--stem",
    type=click.Choice(["torchvision", "small"]),
    default="torchvision",
    show_default=True,
    help="small: a ResNet's first layers for images below 64 px.",
)
@click.option("--depth", type=click.IntRange(min=1), help="Show modules this deep as one row; by default every layer.")
@click.option(
    "--csv", "out", metavar="FILE", type=click.Path(dir_okay=False, allow_dash=True), help="As CSV; - prints it."
)
def summary(
    model: str, image_size: int, classes: int, batch_size: int, stem: str, depth: int | None, out: str | None
) -> None:
    """Show a network layer by layer: shapes, parameters, MACs, memory.

    MODEL is a classifier of torchvision, shallow_cnn or lenet, or a factory of yours as package.module:factory.

    \b
    Example:
      ablation summary resnet50 --image-size 196
      ablation summary vit_b_16 --depth 2 --csv vit.csv
    """
    own_modules.use(FOLDER / "network.py")  # a factory may lie beside the experiments
    config = ModelConfig(model, classes, image_size, stem)
    built, layers, counts = inspect_model(config)
    lines = rows(built, layers, depth)
    if out == "-":
        write_csv(sys.stdout, lines)
        return
    show_summary(config, lines, counts, batch_size, layer_count(built))
    if out:
        with atomic(Path(out), "w") as file:
            write_csv(file, lines)
        say_line(f"wrote {out}")


def show_summary(config: ModelConfig, lines: Sequence[Row], counts: Counts, batch_size: int, freezable: int) -> None:
    """Print the layers, and below them what the network holds and costs. freezable: how many layers `freeze` counts."""
    columns: dict[str, Column] = {
        "layer": ("layer", lambda row: "  " * row.depth + _name(row)),
        "type": ("type", lambda row: row.type),
        "output": ("output", lambda row: " x ".join(f"{side:,}" for side in row.output)),
        "parameters": ("parameters", lambda row: f"{row.parameters:,}" if row.parameters else "·"),
        "MACs": ("MACs", lambda row: f"{row.macs:,}" if row.macs else "·"),
    }
    few = ("type", "output")
    show_table(Table.of(columns, lines, words=frozenset(few), keep=("parameters", "MACs"), spare=few))
    grid = PlainTable.grid(padding=(0, 2))
    for name, text in _totals(config, counts, batch_size, freezable).items():
        grid.add_row(Text(name, "bold"), Text(text))
    console.print(grid)
    console.print()
    say(WORDS, "dim")


def _totals(config: ModelConfig, counts: Counts, batch_size: int, freezable: int) -> dict[str, str]:
    side, times = config.image_size, counts.training_macs / counts.macs
    held, single = 4 * (counts.parameters + counts.buffers), batch_size * counts.kept_float32
    half = batch_size * counts.kept_bfloat16 + counts.copies_bfloat16
    kept = f"{byte_size(single)} for a batch of {batch_size} in float32 (CPU), {byte_size(half)} in bfloat16 (CUDA)"
    return {
        "network": f"{config.model}, {config.classes:,} classes, images of {side} x {side} pixels",
        "parameters": f"{counts.parameters:,}",
        "trainable": f"{counts.trainable:,}",
        "freeze": f"0 to {freezable}: so many layers with weights stand before the head",
        "size": f"{byte_size(held)} in float32, buffers included (1 MB = 1,000,000 bytes)",
        "MACs": f"{macs(counts.macs, 3)} an image, forward: convolutions, linear layers, products of attention",
        "as thop counts": macs(counts.thop, 3),
        "FLOPs": f"{macs(counts.flops, 3)} = 2 x MACs; forward and backward {times:.2f} times that",
        "activations": kept,
    }


def write_csv(file: IO[str], lines: Sequence[Row]) -> None:
    """Write the rows, headings left out: each row's numbers, `times` over, add up to the network."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in lines:
        if not row.heading:
            shape = "x".join(map(str, row.output))
            writer.writerow(
                (csv_text(_name(row)), csv_text(row.type), shape, row.times, row.parameters, row.macs, row.thop)
            )


def _name(row: Row) -> str:
    """With how many blocks are alike: 'layer1.1 to 2 (2 alike; each has)'."""
    return f"{row.name} ({row.times} alike; each has)" if row.heading and row.times > 1 else row.name
