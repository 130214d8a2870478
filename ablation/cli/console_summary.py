"""What `ablation summary` prints: a network's layers, and what they add up to. Lays out what `models` counted."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import IO

from rich.markup import escape
from rich.table import Table

from ablation.cli.console import console, table
from ablation.cli.plan_cost import size
from ablation.training.cost.counts import Asked, Counts
from ablation.training.cost.layers import Row

WORDS = (
    "1 MAC (a multiplication and an addition) = 2 FLOPs. Papers, and users of the package thop, often write 'FLOPs' for"
    " MACs; thop also counts normalisation and pooling, and no products of attention."
)
COLUMNS = ("name", "type", "output", "times", "parameters", "macs", "thop")


def show_summary(asked: Asked, rows: Sequence[Row], counts: Counts, batch_size: int, freezable: int) -> None:
    """The layers, and below them what the network holds and costs. freezable: how many layers `freeze` counts."""
    made = table("layer", "type", "output", "parameters", "MACs", right=("parameters", "MACs"))
    for row in rows:
        numbers = (_count(row.parameters), _count(row.macs))
        style = "bold" if row.heading else ""
        name, kind = "  " * row.depth + escape(_name(row)), escape(row.type)
        made.add_row(name, kind, _shape(row.output), *numbers, style=style)
    console.print(made)
    grid = Table.grid(padding=(0, 2))
    for fact, text in _totals(asked, counts, batch_size, freezable).items():
        grid.add_row(f"[bold]{fact}[/]", text)
    console.print(grid)
    console.print(f"\n[dim]{WORDS}[/]", soft_wrap=False)


def _totals(asked: Asked, counts: Counts, batch_size: int, freezable: int) -> dict[str, str]:
    side, times = asked.image_size, counts.training_macs / counts.macs
    held = 4 * (counts.parameters + counts.buffers)
    single = batch_size * counts.kept_float32
    half = batch_size * counts.kept_bfloat16 + counts.copies_bfloat16
    return {
        "network": f"{escape(asked.model)}, {asked.classes:,} classes, images of {side} x {side} pixels",
        "parameters": f"{counts.parameters:,}",
        "trainable": f"{counts.trainable:,}",
        "freeze": f"0 to {freezable}: so many layers with weights stand before the head",
        "size": f"{size(held)} in float32, buffers included (1 MB = 1,000,000 bytes)",
        "MACs": f"{_giga(counts.macs)} an image, forward: convolutions, linear layers, products of attention",
        "as thop counts": _giga(counts.thop),
        "FLOPs": f"{_giga(counts.flops)} = 2 x MACs; forward and backward {times:.2f} times that",
        "activations": f"{size(single)} for a batch of {batch_size} in float32 (CPU), {size(half)} in bfloat16 (CUDA)",
    }


def _giga(number: int) -> str:
    return f"{number / 1e9:,.3f} G" if number >= 1e8 else f"{number / 1e6:,.3f} M"


def write_csv(file: IO[str], rows: Sequence[Row]) -> None:
    """The table's rows, a heading left out: each row's numbers, `times` over, add up to the network."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        if not row.heading:
            shape = "x".join(map(str, row.output))
            writer.writerow((_name(row), row.type, shape, row.times, row.parameters, row.macs, row.thop))


def _name(row: Row) -> str:
    """With how many blocks are alike: 'layer1.1 to 2 (2 alike; each has)'."""
    return f"{row.name} ({row.times} alike; each has)" if row.heading and row.times > 1 else row.name


def _shape(output: Sequence[int]) -> str:
    return " x ".join(f"{side:,}" for side in output)


def _count(number: int) -> str:
    return f"{number:,}" if number else "·"
