"""The layer table: its rows add up to the network, residual blocks have their names, and the CSV is the table."""

import csv
import io
from collections import Counter
from functools import cache

import pytest

from ablation.cli.console import console
from ablation.cli.summary import show_summary, write_csv
from ablation.models.freezing import layer_count
from ablation.training.cost.counts import ModelConfig, inspect_model
from ablation.training.cost.layers import CONV_BLOCK, IDENTITY_BLOCK, rows


@cache
def inspected(name: str):
    return inspect_model(ModelConfig(name, 10, 224))


@pytest.fixture(scope="module")
def resnet():
    return inspect_model(ModelConfig("resnet50", 1000, 196))


@pytest.mark.parametrize(
    "name",
    ["resnet18", "vit_b_16", "mobilenet_v3_small", "shallow_cnn", pytest.param("swin_t", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("depth", [None, 1, 2, 3])
def test_rows_add_up_to_the_network(name, depth):
    model, layers, counts = inspected(name)
    told = [row for row in rows(model, layers, depth) if not row.heading]
    assert sum(row.times * row.parameters for row in told) == counts.parameters
    assert sum(row.times * row.macs for row in told) == counts.macs
    assert sum(row.times * row.thop for row in told) == counts.thop


def test_a_heading_has_what_its_layers_have(resnet):
    table = rows(*resnet[:2])
    for place, row in enumerate(table):
        if row.heading:
            inside = []
            for below in table[place + 1 :]:
                if below.depth <= row.depth:
                    break
                inside.append(below)
            assert sum(below.parameters for below in inside) == row.parameters
            assert {below.times for below in inside} == {row.times}


def test_blocks_of_a_resnet_are_named_by_their_shortcut(resnet):
    """He et al. 2016, table 1: 3 + 4 + 6 + 3 blocks, and the first of each stage changes the shape."""
    blocks: Counter[str] = Counter()
    for row in rows(*resnet[:2]):
        if row.heading:
            blocks[row.type] += row.times
    assert blocks == {CONV_BLOCK: 4, IDENTITY_BLOCK: 12}
    stages = [row for row in rows(*resnet[:2], 1) if row.name.startswith("layer")]
    assert [row.name for row in stages] == ["layer1", "layer2", "layer3", "layer4"]
    assert [row.output for row in stages] == [(256, 49, 49), (512, 25, 25), (1024, 13, 13), (2048, 7, 7)]


def test_known_rows(resnet):
    first, *_, last = rows(*resnet[:2])
    assert (first.name, first.type, first.output) == ("conv1", "Conv2d", (64, 98, 98))
    assert first.parameters == 64 * 3 * 7 * 7
    assert first.macs == first.parameters * 98 * 98
    assert (last.name, last.output, last.parameters) == ("head", (1000,), 2048 * 1000 + 1000)


def test_the_csv_adds_up(resnet):
    model, layers, counts = resnet
    file = io.StringIO()
    write_csv(file, rows(model, layers))
    read = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert sum(int(row["times"]) * int(row["parameters"]) for row in read) == 25_557_032
    assert sum(int(row["times"]) * int(row["macs"]) for row in read) == counts.macs
    assert read[0]["output"] == "64x98x98"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_on_the_terminal(resnet, monkeypatch, width):
    monkeypatch.setattr(console, "width", width)
    model, layers, counts = resnet
    with console.capture() as captured:
        show_summary(ModelConfig("resnet50", 1000, 196), rows(model, layers), counts, 64, layer_count(model))
    assert max(map(len, captured.get().splitlines())) <= width
    told = " ".join(captured.get().split())
    for words in (
        "25,557,032",
        "102.4 MB",
        "0 to 53",
        "3.471 G",
        "3.507 G",
        "6.942 G = 2 x MACs",
        "1 MAC (a multiplication and an addition) = 2 FLOPs",
    ):
        assert words in told
    assert width < 120 or "conv block (projection shortcut)" in told
