"""The panel of a sweep fits 60 and 80 columns and few lines, and its times run down; elsewhere there are lines."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ablation.cli import progress as module
from ablation.cli.console import Terminal
from ablation.cli.panel import Best, State, Training, panel, shortened
from ablation.cli.progress import Progress
from ablation.experiment.labels import names_of
from ablation.experiment.runs import runs_of

LONG = "random_resized_crop_with_brightness_of"
STATE = State(
    "quickstart",
    23,
    80,
    {"failed": 2, "diverged": 0},
    [
        Training("crop · adam · seed 3", 5, 6, 3060.0, 2.3),
        Training(f"{LONG}_0.25 · adamw · seed 4", 1, 6, 2060.0, 10.2),
        Training(f"{LONG}_0.50 · adamw · seed 5", 1, 6, 0.0, None),
    ],
    [Best("crop", 0.9123, "sgd", 4), Best(f"{LONG}_0.25", 0.85, "adam", 1), Best(f"{LONG}_0.50", 0.84, "", 2)],
    0.3,
    80.0,
    3,
)


def screen(state: State, width: int, height: int, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(raw := io.BytesIO(), encoding)
    Terminal(file=file, width=width, force_terminal=True, color_system=None).print(
        panel(state, width, height, encoding)
    )
    file.flush()
    return raw.getvalue().decode(encoding).rstrip("\n").split("\n")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_epochs_times_and_recipes_are_whole_at_every_width(width, encoding):
    lines = screen(STATE, width, 24, encoding)
    assert {len(line) for line in lines} == {width}
    text = "\n".join(lines)
    for part in ("23 of 80 runs done", "3 running", "2 failed", "images/s", "about 1 min 20 s left", "3 runs behind"):
        assert part in text
    assert "diverged" not in text
    assert re.search(r"crop \S adam \S seed 3 +epoch 5 of 6.* 2\.3 s left", text)
    assert re.search(r"crop +91\.2% +sgd, 4 runs", text)
    assert re.search(r"0\.25 \S adamw \S seed 4 +epoch 1 of 6.* 10 s left", text), "what varies is kept"
    assert re.search(r"0\.50 \S adamw \S seed 5 +epoch 1 of 6", text)
    assert re.search(r"0\.25 +85\.0%", text)
    assert "validation accuracy" in text
    assert ("3,060 images/s" in text) == (width > 60), "of each run where there is room"


@pytest.mark.parametrize("height", [8, 12, 24])
def test_a_short_terminal_shows_how_many_runs_and_recipes_there_is_no_room_for(height):
    many = STATE._replace(
        training=[Training(f"crop · adam · seed {seed}", 1, 6, 1.0, 1.0) for seed in range(16)],
        best=[Best(f"r{number}", 0.5, "", 1) for number in range(30)],
    )
    lines = screen(many, 80, height)
    assert len(lines) < height or height == 8
    text = "\n".join(lines)
    assert re.search(r"and \d+ other runs", text)
    shown, others = text.count("seed"), int(re.search(r"and (\d+) other runs", text)[1])
    assert shown + others == 16
    if height > 8:
        shown, others = len(re.findall(r"r\d+ +50", text)), int(re.search(r"and (\d+) other recipes", text)[1])
        assert shown + others == 30


def test_names_are_shortened_where_they_do_not_differ():
    assert shortened(["crop", f"{LONG}_0.25", f"{LONG}_0.50"], 20) == [
        "crop",
        "random_resized_…0.25",
        "random_resized_…0.50",
    ]
    [short] = shortened([f"{LONG}_0.25"], 20)
    assert (len(short), short[-4:]) == (20, "0.25")
    assert all(len(name) <= 14 for name in shortened([f"{LONG}_a_{LONG}", f"{LONG}_b_{LONG}"], 14))
    assert len(set(shortened([f"{LONG}_a_{LONG}", f"{LONG}_b_{LONG}"], 14))) == 2


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def epoch(number: int) -> dict:
    return {"event": "epoch", "epoch": number, "images_per_second": 100.0, "seconds": 10.0}


def test_the_time_left_runs_down_within_an_epoch(tiny, clock):
    runs = runs_of(replace(tiny, epochs=3).cells(""), Path("runs"))[:2]
    progress = Progress("small", dict.fromkeys((run.spec.id for run in runs), "a run"), Console(file=io.StringIO()))
    progress.planned(runs, 0, 1)
    progress.event(runs[0], {"event": "started"})
    assert progress.left() is None
    clock.now += 10
    progress.event(runs[0], epoch(1))
    assert progress.left() == pytest.approx(50.0), "5 of 6 epochs, of 10 s each"
    lefts = []
    for _ in range(9):
        clock.now += 1
        lefts.append(progress.left())
    assert lefts == pytest.approx([50.0 - second for second in range(1, 10)])
    clock.now += 100
    assert progress.left() == 0.0


def test_the_panel_shows_epochs_rates_and_the_best_condition_of_each_recipe(tiny, tmp_path, clock):
    two = replace(tiny, seeds=1, epochs=3)
    cells = two.cells("")
    runs = runs_of(cells, tmp_path)
    accuracy = {("none", "sgd"): 0.5, ("none", "adam"): 0.75, ("crop", "sgd"): 0.25}
    console = Terminal(file=io.StringIO(), force_terminal=True, color_system=None, width=80, height=24)
    with Progress("small", names_of(cells), console, cells=cells) as progress:
        progress.planned(runs, 0, 2)
        for cell, run in zip(cells, runs, strict=True):
            progress.event(run, {"event": "started"})
            arm = (cell.factors["recipe"], cell.factors["optimizer"])
            if arm in accuracy:
                run.prepare()
                run.journal.append("epoch", epoch=3, val_accuracy=accuracy[arm], seconds=1.0)
                (run.folder / "record.json").write_text("{}")
                progress.event(run, {"event": "finished", "accuracy": 0.99})
            else:
                progress.event(run, epoch(1))
        file = io.StringIO()
        Console(file=file, width=80).print(progress._panel())
    text = file.getvalue()
    assert re.search(r"3 of 4 runs done   1 running   100 images/s", text)
    assert re.search(r"crop · adam · seed 0 +epoch 2 of 3 +100 images/s +20 s left", text)
    assert re.search(r"none +75\.0%  adam, 1 run", text)
    assert re.search(r"crop +25\.0%  sgd, 1 run", text)
    assert "99" not in text, "nobody sees the test images' accuracy on the way"


@pytest.mark.parametrize("kind", ["pipe", "dumb"])
def test_where_nothing_can_be_shown_in_place_each_run_is_a_line_with_the_time_left(tiny, clock, monkeypatch, kind):
    monkeypatch.setenv("TERM", "dumb" if kind == "dumb" else "xterm")
    runs = runs_of(tiny.cells(""), Path("runs"))[:3]
    output = io.StringIO()
    console = Terminal(file=output, width=120, force_terminal=kind == "dumb", color_system=None)
    with Progress("small", {run.spec.id: f"run {number}" for number, run in enumerate(runs)}, console) as progress:
        progress.planned(runs, 0, 1)
        for run, end in zip(
            runs,
            ({"event": "finished", "accuracy": 0.5}, {"event": "failed", "reason": "no"}, {"event": "diverged"}),
            strict=True,
        ):
            progress.event(run, {"event": "started"})
            clock.now += 30
            progress.event(run, end)
    assert output.getvalue().splitlines() == [
        "3 of 3 runs to train, on 1 worker",
        "[1/3] run 0: accuracy 0.500; about 1 min left",
        "[2/3] run 1: failed: no; about 30 s left",
        "[3/3] run 2: diverged",
    ]
